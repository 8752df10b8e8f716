import Testing

@testable import RoostStore

/// A list value beside an array of its items.
private final class ListRun {
  private(set) var list: ItemList
  var items: [[UInt8]] = []
  var heap = SlabHeap(pool: SlabPool())

  init() { list = ItemList.allocate(&heap) }

  deinit {
    while !list.release(maxChunks: 3, &heap) {}
    #expect(heap.bytes == 0)
    heap.release()
  }

  func push(_ item: [UInt8], atFront: Bool) {
    item.withUnsafeBytes { list.push($0, atFront: atFront, &heap) }
    items.insert(item, at: atFront ? 0 : items.count)
  }

  func pop(atFront: Bool) {
    guard let expected = atFront ? items.first : items.last else { return }
    #expect(Array(list.peek(atFront: atFront)) == expected)
    list.pop(atFront: atFront, &heap)
    items.remove(at: atFront ? 0 : items.count - 1)
  }

  func check(_ random: inout SeededRandom) {
    #expect(list.count == items.count)
    #expect(list.itemBytes == items.reduce(0) { $0 + $1.count })
    #expect(list.encodedBytes == items.reduce(0) { $0 + ReplyCost.item($1.count) })
    for start in [0, random.int(0...items.count), random.int(0...items.count), items.count] {
      var walk = list.walk(from: start)
      var walked: [[UInt8]] = []
      while let item = walk.next() { walked.append(Array(item)) }
      #expect(walked == Array(items[start...]))
    }
    let part = random.int(0...items.count)
    #expect(
      list.itemBytes(of: part, atFront: true) == items.prefix(part).reduce(0) { $0 + $1.count })
    #expect(
      list.itemBytes(of: part, atFront: false) == items.suffix(part).reduce(0) { $0 + $1.count })
  }
}

extension SeededRandom {
  fileprivate mutating func item() -> [UInt8] {
    let counts = [0...3, 0...3, 5...40, 120...135, 300...900, 3_000...9_000]
    return (0..<int(pick(counts))).map { _ in UInt8(truncatingIfNeeded: next()) }
  }
}

@Suite("List values") struct MemoryListTests {
  @Test("Pushes and pops at both ends leave what an array would hold", arguments: 0..<6)
  func random(round: UInt64) {
    var random = SeededRandom(seed() &+ round)
    let run = ListRun()
    for phase in 0..<12 {
      let pushes = [8, 2, 5][phase % 3]
      let atFront = random.int(0...10)
      for _ in 0..<400 {
        let front = random.int(1...10) <= atFront
        if random.int(1...10) <= pushes {
          run.push(random.item(), atFront: front)
        } else {
          run.pop(atFront: front)
        }
      }
      run.check(&random)
    }
    while !run.items.isEmpty { run.pop(atFront: random.oneIn(2)) }
    run.check(&random)
    run.push([1], atFront: false)
    run.push([2], atFront: true)
    run.check(&random)
  }

  @Test("A part that is detached and attached again leaves the list as it was", arguments: 0..<6)
  func detach(round: UInt64) {
    var random = SeededRandom(seed() &+ round)
    let run = ListRun()
    for _ in 0..<random.int(1...1_500) { run.push(random.item(), atFront: random.oneIn(2)) }
    for _ in 0..<20 {
      let count = random.int(0...run.items.count - 1)
      let atFront = random.oneIn(2)
      let part = run.list.detach(count, atFront: atFront, &run.heap)
      #expect(part.count == count && run.list.count == run.items.count - count)
      var walk = part.walk(from: 0)
      var detached: [[UInt8]] = []
      while let item = walk.next() { detached.append(Array(item)) }
      #expect(detached == (atFront ? Array(run.items.prefix(count)) : run.items.suffix(count)))
      run.list.attach(part, atFront: atFront, &run.heap)
      #expect(part.count == 0)
      #expect(part.release(maxChunks: 0, &run.heap))
      run.check(&random)
    }
  }

  @Test("A queue that is pushed at one end and popped at the other stays small")
  func queue() {
    for atFront in [true, false] {
      let run = ListRun()
      for _ in 0..<100 { run.push([1, 2, 3, 4, 5], atFront: atFront) }
      let bytes = run.heap.bytes
      for _ in 0..<20_000 {
        run.push([1, 2, 3, 4, 5], atFront: atFront)
        run.pop(atFront: !atFront)
      }
      #expect(run.heap.bytes <= bytes + 2 * 4_096)
    }
  }

  @Test("Small lists take little memory, long ones little more than their items")
  func memory() {
    let small = ListRun()
    small.push([1, 2, 3], atFront: false)
    #expect(small.heap.bytes <= 72 + 16 + 88)
    for bytes in [1, 20, 500] {
      let run = ListRun()
      for _ in 0..<20_000 { run.push([UInt8](repeating: 7, count: bytes), atFront: false) }
      let overhead = Double(run.heap.bytes) / 20_000 - Double(bytes)
      #expect(overhead < (bytes < 128 ? 2.5 : 90), "\(bytes): \(overhead) bytes")
    }
  }
}
