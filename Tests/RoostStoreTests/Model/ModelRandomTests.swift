import RoostStore
import Testing

@Suite("Engines against a plain reference, at random") struct ModelRandomTests {
  static let stepsPerRun = 2_500

  @Test(
    "An engine answers every call as the reference does",
    arguments: EngineUnderTest.all, (0..<runCount(8)).map { seed() &+ UInt64($0) })
  func agrees(engine: EngineUnderTest, seed: UInt64) {
    let options = Self.options(seed)
    let run = ModelRun(engine, options)
    var generator = ModelStepGenerator(random: SeededRandom(seed))
    var steps: [ModelStep] = []
    for number in 0..<Self.stepsPerRun {
      let step = generator.step(run.reference, now: run.now)
      steps.append(step)
      let fault = run.perform(step) ?? (number % 100 == 99 ? run.compareAll() : nil)
      if let fault {
        Issue.record("\(Self.report(steps, fault, seed, engine, options))")
        return
      }
    }
    if let fault = run.compareAll() {
      Issue.record("\(Self.report(steps, fault, seed, engine, options))")
    }
  }

  @Test("After a random life a store without keys is small again", arguments: EngineUnderTest.all)
  func emptied(engine: EngineUnderTest) {
    let run = ModelRun(engine, Self.options(seed()))
    var generator = ModelStepGenerator(random: SeededRandom(seed()))
    var emptyBytes: Int64?
    for _ in 0..<5 {
      for _ in 0..<300 { _ = run.perform(generator.step(run.reference, now: run.now)) }
      let fault = run.emptiedFault(emptyBytes: emptyBytes ?? .max)
      #expect(fault == nil, "seed \(seed())")
      if emptyBytes == nil { emptyBytes = run.memoryBytes }
    }
  }

  @Test("The reference itself is held to revisions that are possible")
  func referenceChecksRevisions() {
    var reference = ReferenceStore()
    reference.lastRevision = 10
    func set(_ revision: Int64, _ now: Int64) -> Bool {
      let call = StoreCall.set(SetCall(key: "key", value: 1, expiration: .after(5)))
      let observed = StoreAnswer.set(SetAnswer(revision: revision, created: true))
      return reference.apply(call, now: now, observed: observed) == .success(observed)
    }
    #expect(set(11, 1_000))
    #expect(!set(11, 1_005), "a revision is not issued twice")
    #expect(!set(99, 1_005), "nothing else has happened")
    reference = ReferenceStore()
    reference.lastRevision = 10
    #expect(set(11, 1_000) && set(13, 1_005), "the key's end may take one")
    #expect(!set(16, 1_010), "but only one")
  }

  /// Engines of few and many shards, and some with short lists.
  static func options(_ seed: UInt64) -> EngineUnderTest.Options {
    var random = SeededRandom(seed)
    var options = EngineUnderTest.Options()
    options.shardCount = random.pick([1, 2, 16, 64])
    if random.oneIn(3) { options.maxListItems = 30 }
    return options
  }

  /// The failing step, its seed, and the shortest way to it.
  static func report(
    _ steps: [ModelStep], _ fault: String, _ seed: UInt64, _ engine: EngineUnderTest,
    _ options: EngineUnderTest.Options
  ) -> String {
    var lines = [
      "step \(steps.count - 1) \(steps.last!) \(fault)",
      "again with ROOST_TEST_SEED=\(seed); shortest steps that fail:",
    ]
    let shortest = shrink(steps, engine, options)
    lines += shortest.map { "  \($0)" }
    if let shortFault = firstFault(shortest, engine, options) {
      lines.append("then \(shortFault.fault)")
    }
    return lines.joined(separator: "\n")
  }
}
