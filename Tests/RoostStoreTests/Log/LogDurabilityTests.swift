import Dispatch
import Synchronization
import Testing

@testable import RoostStore

@Suite("What answers wait for") struct LogDurabilityTests {
  /// An answer's need as a test compares it.
  enum Need: Hashable {
    case nothing
    case revision(Int64)
    case other(AnswerNeed.Target)

    init(_ need: AnswerNeed) {
      switch need {
      case .nothing: self = .nothing
      case .revision(let revision): self = .revision(revision)
      case .other(let target): self = .other(target)
      }
    }

    static func logged(_ revision: Int64) -> Need {
      .other(AnswerNeed.Target(revision: revision, isSynced: false))
    }
    static func synced(_ revision: Int64) -> Need {
      .other(AnswerNeed.Target(revision: revision, isSynced: true))
    }
  }

  @Test("A write waits for what policy and durability ask together", arguments: SyncPolicy.allCases)
  func needs(policy: SyncPolicy) throws {
    let store = try LogStore(TemporaryFolder()) { $0.policy = policy }
    // A revision that is not durable yet, and one that is.
    let durable = store.durability.durableRevision
    let newest = durable + 10
    func need(
      shown: Int64, written: Int64, _ durability: WriteDurability = .engineDefault
    ) -> Need {
      let reply = ReplyArena(budgetBytes: 1_000)
      reply.show(shown)
      if written != 0 { reply.note(written: written, durability) }
      return Need(store.durability.need(of: reply))
    }
    #expect(need(shown: 0, written: 0) == .nothing)
    #expect(need(shown: 7, written: 0) == .revision(7))
    #expect(need(shown: 7, written: newest) == .revision(newest))
    #expect(need(shown: 7, written: newest, .memory) == .revision(7))
    if policy == .always {
      #expect(need(shown: durable, written: newest, .logged) == .logged(newest))
      #expect(need(shown: durable + 1, written: newest, .logged) == .revision(newest))
      #expect(need(shown: 7, written: newest, .synced) == .revision(newest))
    } else {
      #expect(need(shown: durable + 1, written: newest, .logged) == .revision(newest))
      #expect(need(shown: 7, written: newest, .synced) == .synced(newest))
    }
  }

  @Test("Answers depend on the entry, the absence, or for what sees more on the whole store")
  func dependencies() throws {
    let store = try LogStore(TemporaryFolder()) { $0.policy = .never }
    func depends(_ call: StoreCall) throws -> Int64 {
      let recorder = ReplyRecorder(store.engine)
      _ = try? recorder.perform(call)
      return recorder.shown
    }
    let first = try store.set("a", 1).revision
    let gone = try store.set("b", 1).revision + 1
    try store.delete("b")
    let newest = try store.set("c", ["x"]).revision
    #expect(try depends(.get("a")) == first)
    #expect(try depends(.get("b")) == gone)
    #expect(try depends(.listRange("c", start: 0, stop: -1)) == newest)
    for call: StoreCall in [
      .batchGet(["a"]), .scan(ScanCall()), .count(.all), .deleteRange(.all, dryRun: true),
      .transact(TransactCall(success: [.get("a")])),
    ] {
      #expect(try depends(call) == newest, "\(call)")
    }
    // Errors show what they were refused for.
    let refused = SetCall(key: "a", value: 2, condition: .exists(false))
    #expect(try depends(.set(refused)) == first)
    #expect(try depends(.delete(DeleteCall(key: "b", condition: .exists(true)))) == gone)
  }

  @Test("With always nothing is open before it is durable, and one sync serves all that wait")
  func groupCommit() throws {
    let store = try LogStore(TemporaryFolder()) {
      $0.policy = .always
      $0.loopCount = 4
    }
    let engine = store.engine
    let durability = store.durability
    let log = store.log
    let isDone = Atomic<Bool>(false)
    let released = Mutex<[Int64]>([])
    let faults = runThreads(5) { thread -> Int in
      if thread == 4 {
        var faults = 0
        while !isDone.load(ordering: .acquiring) {
          let durable = log.durableRevision
          let logged = log.loggedRevision
          let newest = log.newestRevision
          if durable > logged || logged > newest { faults += 1 }
        }
        return faults
      }
      defer { if thread == 0 { isDone.store(true, ordering: .releasing) } }
      let session = EngineSession(engine)
      var faults = 0
      for number in 0..<200 {
        guard let revision = try? session.set("key \(thread)", .int(Int64(number))).revision
        else { return -1 }
        let opened = DispatchSemaphore(value: 0)
        let target = AnswerNeed.Target(revision: revision, isSynced: true)
        let wasOpen = durability.openRevision >= revision
        if wasOpen, log.durableRevision < revision { faults += 1 }
        durability.whenReached(target) { error in
          if error != nil || log.durableRevision < revision { return }
          opened.signal()
        }
        durability.endOfTick(waitsFor: revision, isIdle: false)
        opened.wait()
        released.withLock { $0.append(revision) }
      }
      return faults
    }
    #expect(faults == [0, 0, 0, 0, 0])
    #expect(released.withLock { Set($0).count } == 800)
  }

  @Test("What one thread writes for another opens that one's answers at once")
  func writtenByOther() throws {
    let store = try LogStore(TemporaryFolder()) { $0.policy = .never }
    let engine = store.engine
    let durability = store.durability
    let late = runThreads(4) { thread -> Int in
      let session = EngineSession(engine)
      return (0..<2_000).count { number in
        let revision = (try? session.set("key \(thread)", .int(Int64(number))).revision) ?? .max
        durability.endOfTick(waitsFor: revision, isIdle: false)
        return durability.openRevision < revision
      }
    }
    #expect(late == [0, 0, 0, 0])
  }

  @Test("Whoever waits is told, also of a sync that somebody else has made")
  func toldOfOtherSyncs() throws {
    let store = try LogStore(TemporaryFolder()) { $0.policy = .always }
    let told = DispatchSemaphore(value: 0)
    store.durability.onAdvance { told.signal() }
    for number in 0..<20 {
      let revision = try store.set("a", .int(Int64(number))).revision
      // As a snapshot does it.
      store.writer.sync()
      #expect(store.log.durableRevision >= revision)
      #expect(told.wait(timeout: .now() + 20) == .success, "in round \(number)")
    }
  }

  @Test("A write that asks for it is synced, where the policy alone would not do it")
  func syncedWrite() throws {
    let store = try LogStore(TemporaryFolder()) { $0.policy = .never }
    let revision = try store.set("a", 1, durability: .synced).revision
    #expect(store.durability.durableRevision < revision)
    let reached = DispatchSemaphore(value: 0)
    store.durability.whenReached(AnswerNeed.Target(revision: revision, isSynced: true)) { error in
      if error == nil { reached.signal() }
    }
    reached.wait()
    #expect(store.durability.durableRevision >= revision)
  }

  @Test("What was synced is marked before anything else is written, and once after a pause")
  func marks() throws {
    let folder = try TemporaryFolder()
    let store = try LogStore(folder) { $0.policy = .never }
    for number in 0..<3 {
      try store.set("a", .int(Int64(number)))
      store.durability.sync()
    }
    let before = store.writer.byteCount
    store.writer.markWhenIdle()
    let markBytes = Int64(LogFormat.recordHeaderBytes + LogFormat.markBytes)
    #expect(store.writer.byteCount == before + markBytes)
    store.writer.markWhenIdle()
    store.durability.sync()
    store.writer.markWhenIdle()
    #expect(store.writer.byteCount == before + markBytes, "a mark needs no mark")
  }
}

/// Keeps what answers depend on, which a session forgets with the call.
private final class ReplyRecorder: CallPerformer {
  private let engine: any StorageEngine
  private(set) var shown: Int64 = 0

  init(_ engine: any StorageEngine) { self.engine = engine }

  func perform(_ call: StoreCall) throws(StoreError) -> StoreAnswer {
    let session = EngineSession(engine)
    session.onEnd = { [unowned self] in shown = $0.shownRevision }
    return try session.perform(call)
  }
}
