import Dispatch
import Glibc
import Testing

@testable import RoostStore

/// What goes on while a scan matches its pattern.
@Suite("Engine contract: scans while others work") struct ContractScanPatternTests {
  static let patterns = [StorePattern.glob("*z"), .regex("z$")]

  /// Keys that are long enough for a look at the clock after each.
  static func longKeys(_ count: Int) -> [Bytes] {
    numberedKeys(count).map { $0 + Bytes(repeating: 0x7a, count: 600) }
  }

  @Test(
    "No lock is held while a pattern is matched", arguments: EngineUnderTest.all, Self.patterns)
  func unlocked(engine: EngineUnderTest, pattern: StorePattern) throws {
    let store = engine.start()
    let keys = Self.longKeys(20)
    for key in keys { try store.set(key, 1) }
    var lookCount = 0
    let page = try store.scan(ScanCall(pattern: pattern)) {
      lookCount += 1
      let isDone = DispatchSemaphore(value: 0)
      let shared = store.engine
      pthread_detach(
        spawn {
          let other = EngineSession(shared)
          for key in keys { _ = try? other.set(key, 2) }
          isDone.signal()
        })
      let outcome = isDone.wait(timeout: .now() + 20)
      #expect(outcome == .success, "a write waits for a scan that matches a pattern")
      return outcome != .success
    }
    #expect(lookCount > 0)
    #expect(page.examined > 0)
    #expect(page.entries.allSatisfy { $0.value == 2 }, "an entry is read after its key matched")
  }

  @Test(
    "What changes while its key is matched is read as it is then",
    arguments: EngineUnderTest.all, Self.patterns)
  func changes(engine: EngineUnderTest, pattern: StorePattern) throws {
    let store = engine.start()
    let keys = Self.longKeys(10)
    for key in keys { try store.set(key, 1, expires: key == keys[5] ? .after(10) : .never) }
    var isFirst = true
    var expected = keys
    // The time of a page may end it after any key; the rest comes as it is then, too.
    var call = ScanCall(pattern: pattern)
    var entries: [StoredEntry] = []
    var examined = 0
    repeat {
      let page = try store.scan(call) {
        guard isFirst else { return false }
        isFirst = false
        do {
          // Matched, and still to be matched.
          try store.delete(keys[0])
          try store.delete(keys[1])
          try store.set(keys[3], "changed")
          try store.delete(keys[4])
          try store.push(keys[4], ["another"])
          store.clock.advance(millis: 10)
        } catch {
          Issue.record(error)
        }
        return false
      }
      entries += page.entries
      examined += page.examined
      call.resumeAfter = page.resumeAfter
    } while call.resumeAfter != nil
    expected.removeAll { [keys[0], keys[1], keys[5]].contains($0) }
    #expect(entries.map(\.key) == expected)
    for entry in entries {
      var now = try #require(try store.get(entry.key))
      now.key = entry.key
      #expect(entry == now)
    }
    // The first page has copied all keys; another one would not come to those that are gone.
    #expect((8...10).contains(examined))
  }

  @Test(
    "A scan that nobody waits for ends, and can be gone on with exactly",
    arguments: EngineUnderTest.all, [StorePattern.glob("*z"), .regex("z$"), nil])
  func cancelled(engine: EngineUnderTest, pattern: StorePattern?) throws {
    let store = engine.start()
    let keys = Self.longKeys(1_000)
    for key in keys { try store.set(key, 1) }
    for reverse in [false, true] {
      var call = ScanCall(
        pattern: pattern, keysOnly: true, reverse: reverse, pageSize: 10_000,
        maxPageBytes: 1 << 30)
      let page = try store.scan(call) { true }
      #expect(page.examined < 1_000 && page.keys.count == page.examined)
      #expect(page.resumeAfter == page.keys.last)
      call.resumeAfter = page.resumeAfter
      let all = page.keys + (try store.scanKeys(call))
      #expect(all == (reverse ? keys.reversed() : keys))
    }
  }

  @Test("A glob that is slow on long keys ends its pages early", arguments: EngineUnderTest.all)
  func slowGlob(engine: EngineUnderTest) throws {
    let store = engine.start()
    let keys = numberedKeys(8_000).map { $0 + Bytes(repeating: 0x61, count: 4_000) }
    for key in keys { try store.set(key, 1) }
    let slow = StorePattern.glob(Bytes(String(repeating: "*a", count: 127)))
    let call = ScanCall(pattern: slow, keysOnly: true, pageSize: 10_000, maxPageBytes: 1 << 30)
    let start = monotonicNanos()
    let pages = try store.scanPages(call)
    let nanos = monotonicNanos() - start
    #expect(pages.flatMap(\.keys) == keys)
    #expect(pages.map(\.examined).reduce(0, +) == 8_000)
    // However fast or busy the machine is: most of the time is the pattern's.
    #expect(pages.count >= Int(nanos / (4 * ScanPage.maxPatternNanos)))
  }

  @Test(
    "A key that is there all the time comes once, whatever happens between match and read",
    arguments: EngineUnderTest.all, [false, true])
  func churn(engine: EngineUnderTest, reverse: Bool) throws {
    let store = engine.start()
    var random = SeededRandom(seed())
    let fixed = Self.longKeys(200)
    for key in fixed { try store.set(key, 0) }
    for round in 1...5 {
      var call = ScanCall(
        pattern: random.pick(Self.patterns), reverse: reverse, pageSize: random.int(1...300))
      var seen: [StoredEntry] = []
      repeat {
        let page = try store.scan(call) {
          let passing = random.pick(fixed) + Bytes("~\(random.int(0...9))z")
          do {
            if random.oneIn(2) { try store.set(passing, 1) } else { try store.delete(passing) }
            try store.set(random.pick(fixed), .int(Int64(round)))
          } catch {
            Issue.record(error)
          }
          return false
        }
        seen += page.entries
        call.resumeAfter = page.resumeAfter
      } while call.resumeAfter != nil
      let keys = seen.map(\.key)
      #expect(keys.filter(fixed.contains) == (reverse ? fixed.reversed() : fixed))
      #expect(keys == (reverse ? keys.sorted().reversed() : keys.sorted()))
      #expect(Set(keys).count == keys.count)
    }
  }
}

extension TestStore {
  /// One page, and what happens now and then while no lock is held.
  fileprivate func scan(
    _ call: ScanCall, meanwhile: @escaping () -> Bool
  ) throws -> ScanAnswer {
    let lent = CommandLoan(engine: engine)
    let reply = ReplyArena(budgetBytes: 1 << 30)
    var command = try lent.scan(call)
    command.isCancelled = meanwhile
    let answer = try engine.scan(command, reply) { preconditionFailure("answers later") }
    guard case .now(let page) = answer else { preconditionFailure("answers later") }
    return withExtendedLifetime(lent) { ScanAnswer(copying: page) }
  }
}
