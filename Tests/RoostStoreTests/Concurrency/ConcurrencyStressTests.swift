import RoostStore
import Synchronization
import Testing

@Suite("Many threads on one engine", .serialized) struct ConcurrencyStressTests {
  @Test(
    "No two mutations share a revision, and each thread sees its own grow",
    arguments: EngineUnderTest.all)
  func revisions(engine: EngineUnderTest) throws {
    let store = engine.start()
    let before = store.revision
    let shared = store.engine
    let perThread = runThreads(4) { thread in
      let session = EngineSession(shared)
      return (0..<1_000).compactMap { number -> Int64? in
        let key = Bytes("key \(number % 7)")
        return number % 3 == 0
          ? try? session.increment("counter \(thread)").revision
          : try? session.set(key, .int(Int64(number))).revision
      }
    }
    for revisions in perThread { #expect(zip(revisions, revisions.dropFirst()).allSatisfy(<)) }
    let all = perThread.flatMap { $0 }.sorted()
    #expect(all == Array(before + 1...before + 4_000))
  }

  @Test("Money that moves between accounts is never seen missing", arguments: EngineUnderTest.all)
  func conservation(engine: EngineUnderTest) throws {
    let store = engine.start()
    let accounts = numberedKeys(8, prefix: "account:")
    for account in accounts { try store.set(account, 1_000) }
    let shared = store.engine
    let wrongSums = runThreads(4) { thread in
      let session = EngineSession(shared)
      var random = SeededRandom(seed() &+ UInt64(thread))
      return (0..<1_000).count { _ in
        if random.oneIn(2) {
          let amount = Int64(random.int(1...100))
          _ = try? session.transact(then: [
            .increment(random.pick(accounts), by: -amount),
            .increment(random.pick(accounts), by: amount),
          ])
          return false
        }
        let sum = (try? session.batchGet(accounts).entries)?.reduce(Int64(0)) { sum, entry in
          if case .int(let int)? = entry?.value { sum + int } else { sum }
        }
        return sum != 8_000
      }
    }
    #expect(wrongSums == [0, 0, 0, 0])
  }

  @Test(
    "Steps of either branch, alone or with others, never lose what another thread adds",
    arguments: EngineUnderTest.all)
  func branches(engine: EngineUnderTest) throws {
    let store = engine.start()
    let shared = store.engine
    let counters = numberedKeys(4, prefix: "counter ")
    _ = runThreads(4) { thread in
      let session = EngineSession(shared)
      var random = SeededRandom(seed() &+ UInt64(thread))
      for _ in 0..<1_500 {
        let key = random.pick(counters)
        switch random.int(1...3) {
        case 1: _ = try? session.increment(key)
        case 2:
          _ = try? session.transact(
            if: [.key("absent", .exists(true))], then: [.get("other")], else: [.increment(key)])
        default:
          _ = try? session.transact(
            if: [.key("absent", .exists(false))], then: [.increment(key)], else: [.get("other")])
        }
      }
      return 0
    }
    let sum = try store.batchGet(counters).entries.reduce(Int64(0)) { sum, entry in
      if case .int(let int)? = entry?.value { sum + int } else { sum }
    }
    #expect(sum == 6_000)
  }

  @Test(
    "A list is a queue: each item comes out once, in its producer's order",
    arguments: EngineUnderTest.all)
  func queue(engine: EngineUnderTest) throws {
    let store = engine.start()
    let shared = store.engine
    let producersLeft = Atomic<Int>(2)
    let itemCount = 2_000
    let outputs = runThreads(4) { thread -> [Bytes] in
      let session = EngineSession(shared)
      guard thread >= 2 else {
        for number in 0..<itemCount { _ = try? session.push("queue", ["\(thread):\(number)"]) }
        producersLeft.subtract(1, ordering: .acquiringAndReleasing)
        return []
      }
      var taken: [Bytes] = []
      while true {
        let isLast = producersLeft.load(ordering: .acquiring) == 0
        let items = (try? session.pop("queue", from: .front, count: 3).items) ?? []
        taken += items
        if isLast && items.isEmpty { return taken }
      }
    }
    let all = outputs.flatMap { $0 }
    #expect(all.count == 2 * itemCount)
    #expect(Set(all).count == 2 * itemCount)
    for output in outputs {
      for producer in 0..<2 {
        let numbers = output.map { String(decoding: $0.array, as: UTF8.self).split(separator: ":") }
          .filter { $0[0] == "\(producer)" }.map { Int($0[1])! }
        #expect(zip(numbers, numbers.dropFirst()).allSatisfy(<))
      }
    }
    #expect(try store.get("queue") == nil)
  }

  @Test(
    "A scan gives every key that stays exactly once while others come and go",
    arguments: EngineUnderTest.all)
  func scans(engine: EngineUnderTest) throws {
    let store = engine.start()
    let fixed = numberedKeys(1_500, prefix: "k")
    for key in fixed { try store.set(key, 1) }
    let shared = store.engine
    let scansLeft = Atomic<Int>(12)
    let faults = runThreads(4) { thread -> [String] in
      let session = EngineSession(shared)
      var random = SeededRandom(seed() &+ UInt64(thread))
      if thread >= 2 {
        while scansLeft.load(ordering: .acquiring) > 0 {
          let key = random.pick(fixed) + Bytes("~\(random.int(0...99))")
          switch random.int(1...4) {
          case 1: _ = try? session.delete(key)
          case 2: _ = try? session.deleteRange(StoreRange(prefix: key + "0"))
          case 3: _ = try? session.set(random.pick(fixed), .text(key))
          default: _ = try? session.set(key, 1, expires: .after(1_000))
          }
        }
        return []
      }
      var faults: [String] = []
      while scansLeft.subtract(1, ordering: .acquiringAndReleasing).newValue >= 0 {
        let reverse = thread == 1
        let call = ScanCall(keysOnly: true, reverse: reverse, pageSize: random.int(10...300))
        guard let seen = try? session.scanKeys(call) else {
          faults.append("a scan failed")
          continue
        }
        let isOrdered = zip(seen, seen.dropFirst()).allSatisfy { reverse ? $0 > $1 : $0 < $1 }
        if !isOrdered { faults.append("a key came twice or out of order") }
        let kept = seen.filter { $0.count == fixed[0].count }
        if kept != (reverse ? fixed.reversed() : fixed) { faults.append("a key was left out") }
      }
      return faults
    }
    #expect(faults.flatMap { $0 } == [])
  }

  @Test(
    "What is prefetched without a lock may be moving, growing or gone",
    arguments: EngineUnderTest.all)
  func prefetching(engine: EngineUnderTest) throws {
    let store = engine.start(\.shardCount, 1)
    let shared = store.engine
    let writersLeft = Atomic<Int>(2)
    let keys = numberedKeys(6_000)
    _ = runThreads(4) { thread in
      let session = EngineSession(shared)
      if thread >= 2 {
        let hashes = keys.map { key in key.array.withUnsafeBytes { shared.hash($0) } }
        while writersLeft.load(ordering: .acquiring) > 0 {
          for hash in hashes {
            shared.prefetchSlot(hash)
            shared.prefetchEntry(hash)
          }
        }
        return 0
      }
      for round in 0..<2 {
        for key in keys { _ = try? session.set(key + "\(thread)", .int(Int64(round))) }
        for key in keys { _ = try? session.delete(key + "\(thread)") }
      }
      return writersLeft.subtract(1, ordering: .acquiringAndReleasing).newValue
    }
    #expect(store.engine.status().keyCount == 0)
  }

  @Test(
    "Threads, lifetimes and the sweeper together leave exact counts and no memory",
    arguments: EngineUnderTest.all)
  func churn(engine: EngineUnderTest) throws {
    let store = engine.start(\.sweepsInBackground, true)
    func fill() {
      let shared = store.engine
      let clock = store.clock
      _ = runThreads(4) { thread in
        let session = EngineSession(shared)
        var random = SeededRandom(seed() &+ UInt64(thread))
        for number in 0..<1_500 {
          let key = Bytes("key \(random.int(0...300))")
          switch random.int(1...9) {
          case 1...3:
            let size = random.int(0...400)
            _ = try? session.set(
              key, .bytes(Bytes(repeating: 1, count: size)),
              expires: random.oneIn(2) ? .after(Int64(random.int(1...30))) : .never)
          case 4: _ = try? session.delete(key)
          case 5: _ = try? session.push(key, ["one", "two"], expires: .after(20), maxLength: 50)
          case 6: _ = try? session.pop(key, from: .front)
          case 7: _ = try? session.touch(key, expires: .after(10))
          case 8: _ = try? session.transact(then: [.set(key, 1), .delete(key), .increment(key)])
          default: _ = try? session.scan(ScanCall(pageSize: 20, resumeAfter: key))
          }
          if number % 50 == 0 { clock.advance(millis: 3) }
        }
        return 0
      }
    }
    func empty() throws -> EngineStatus {
      store.clock.advance(millis: 1_000)
      store.sweep()
      #expect(try store.count() == store.engine.status().keyCount)
      #expect(try Int64(store.snapshot().count) == store.count())
      try store.deleteRange(.all)
      store.sweep()
      return store.engine.status()
    }
    fill()
    let first = try empty()
    #expect(first.keyCount == 0)
    fill()
    #expect(try empty().memoryBytes <= first.memoryBytes)
  }
}
