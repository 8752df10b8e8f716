import Testing

@testable import TTRPC

@Suite("The table of calls") struct CallTableTests {
  private func place(_ streamID: UInt32) -> CallTable<String>.Place {
    .init(connection: 1, streamID: streamID)
  }

  @Test("Calls leave the queue in their order; a handshake goes before them")
  func order() throws {
    var table = CallTable<String>()
    for name in ["a", "b", "c"] { _ = try table.admit(name, outgoing(), deadline: nil) }
    _ = try table.admit("first", outgoing(), deadline: nil, isFirst: true)
    var order: [String] = []
    while let next = table.nextWaiting {
      table.markSent(next.id, place: place(1))
      order.append(table.end(next.id)?.handle ?? "")
    }
    #expect(order == ["first", "a", "b", "c"])
    #expect(table.count == 0 && table.waitingBytes == 0)
  }

  @Test("A call over the limits is refused; one more fits when one has gone")
  func limits() throws {
    var table = CallTable<Int>(limits: .init(maxWaitingCalls: 2, maxWaitingBytes: 100))
    let first = try table.admit(1, outgoing([UInt8](repeating: 0, count: 80)), deadline: nil)
    let bytes = #expect(throws: RPCError.self) {
      try table.admit(2, outgoing([UInt8](repeating: 0, count: 80)), deadline: nil)
    }
    #expect(bytes?.code == .resourceExhausted)
    _ = try table.admit(3, outgoing(), deadline: nil)
    let calls = #expect(throws: RPCError.self) {
      try table.admit(4, outgoing(), deadline: nil)
    }
    #expect(calls?.code == .resourceExhausted)
    _ = table.end(first)
    _ = try table.admit(5, outgoing(), deadline: nil)
  }

  @Test("A call ends once; its ID never names a later call")
  func endsOnce() throws {
    var table = CallTable<Int>()
    let old = try table.admit(1, outgoing(), deadline: 10)
    #expect(table.end(old)?.handle == 1)
    #expect(table.end(old) == nil)
    let new = try table.admit(2, outgoing(), deadline: 20)
    #expect(table.end(old) == nil)
    #expect(table.earliestDeadline == 20)
    #expect(table.end(new)?.handle == 2)
    #expect(table.earliestDeadline == nil)
  }

  @Test("A sent call knows its place; a waiting one has none")
  func places() throws {
    var table = CallTable<Int>()
    let sent = try table.admit(1, outgoing(), deadline: nil)
    let waiting = try table.admit(2, outgoing(), deadline: nil)
    table.markSent(sent, place: .init(connection: 4, streamID: 9))
    #expect(table.waitingCount == 1)
    #expect(table.end(sent)?.place == .init(connection: 4, streamID: 9))
    #expect(table.end(waiting)?.place == nil)
  }

  @Test("Against a plain reference, random steps agree", arguments: 0..<40 as Range<UInt64>)
  func model(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    var table = CallTable<Int>(limits: .init(maxWaitingCalls: 50))
    var queue: [Int] = []
    var ids: [Int: CallID] = [:]
    var deadlines: [Int: UInt64] = [:]
    var now: UInt64 = 0
    for step in 0..<600 {
      switch Int.random(in: 0..<5, using: &random) {
      case 0, 1:
        let deadline =
          Bool.random(using: &random) ? now + UInt64.random(in: 1...200, using: &random) : nil
        guard let id = try? table.admit(step, outgoing(), deadline: deadline) else {
          #expect(queue.count == 50)
          continue
        }
        ids[step] = id
        deadlines[step] = deadline
        queue.append(step)
      case 2:
        guard let next = table.nextWaiting else {
          #expect(queue.isEmpty)
          continue
        }
        #expect(next.id == ids[queue[0]], "seed \(seed)")
        table.markSent(next.id, place: .init(connection: 0, streamID: UInt32(step)))
        queue.removeFirst()
      case 3:
        guard let victim = ids.keys.sorted().randomElement(using: &random) else { continue }
        #expect(table.end(ids[victim]!)?.handle == victim)
        ids[victim] = nil
        deadlines[victim] = nil
        queue.removeAll { $0 == victim }
      default:
        now += UInt64.random(in: 0...30, using: &random)
        var expired: Set<Int> = []
        while let ended = table.endExpired(now) { expired.insert(ended.handle) }
        let expected = Set(deadlines.filter { $0.value <= now }.keys)
        #expect(expired == expected, "seed \(seed)")
        for call in expected {
          ids[call] = nil
          deadlines[call] = nil
        }
        queue.removeAll { expected.contains($0) }
      }
      #expect(table.count == ids.count && table.waitingCount == queue.count)
      #expect(table.earliestDeadline == deadlines.values.min())
    }
  }
}
