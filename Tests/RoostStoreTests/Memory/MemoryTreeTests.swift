import Testing

@testable import RoostStore

extension Int: TreeElement {
  public static func precedes(_ left: Int, _ right: Int) -> Bool { left < right }
}

/// An ordered tree of numbers beside a sorted array.
private struct TreeRun: ~Copyable {
  var tree = OrderedTree<Int>()
  var heap = SlabHeap(pool: SlabPool())
  var sorted: [Int] = []

  mutating func insert(_ number: Int) {
    let place = sorted.firstIndex { $0 >= number } ?? sorted.count
    if place < sorted.count, sorted[place] == number { return }
    sorted.insert(number, at: place)
    tree.insert(number, &heap)
  }

  mutating func remove(at place: Int) { tree.remove(sorted.remove(at: place), &heap) }

  mutating func removeRun(at place: Int, maxCount: Int) {
    withUnsafeTemporaryAllocation(of: Int.self, capacity: TreeNode<Int>.leafCapacity) { run in
      let count = tree.removeRun(
        from: sorted[place], maxCount: maxCount, into: run.baseAddress!, &heap)
      #expect(count >= 1 && count <= maxCount)
      #expect(Array(run[..<count]) == Array(sorted[place..<place + count]))
      sorted.removeSubrange(place..<place + count)
    }
  }

  func check() {
    tree.checkInvariants()
    #expect(tree.count == sorted.count)
    #expect(tree.first == sorted.first)
    var cursor = tree.seek { _ in false }
    var forward: [Int] = []
    while let number = cursor.next() { forward.append(number) }
    #expect(forward == sorted)
    var backward: [Int] = []
    while let number = cursor.previous() { backward.append(number) }
    #expect(backward == sorted.reversed())
  }

  func checkRanks(_ numbers: some Sequence<Int>) {
    for number in numbers {
      let below = sorted.prefix { $0 < number }.count
      #expect(tree.rank { $0 < number } == below)
      var cursor = tree.seek { $0 < number }
      #expect(cursor.next() == (below < sorted.count ? sorted[below] : nil))
      cursor = tree.seek { $0 < number }
      #expect(cursor.previous() == (below > 0 ? sorted[below - 1] : nil))
    }
  }

  consuming func finish() {
    tree.release(&heap)
    #expect(heap.bytes == 0)
    heap.release()
  }
}

@Suite("The ordered index") struct MemoryTreeTests {
  @Test("An empty tree has no elements, ranks or places")
  func empty() {
    var run = TreeRun()
    run.check()
    run.checkRanks([0, 1])
    run.insert(1)
    run.remove(at: 0)
    run.check()
    #expect(run.heap.bytes == 0)
    run.finish()
  }

  @Test(
    "Random insertions and removals leave it as a sorted array would be", arguments: 0..<6)
  func random(round: UInt64) {
    var random = SeededRandom(seed() &+ round)
    var run = TreeRun()
    let highest = random.pick([300, 3_000, 100_000])
    for phase in 0..<8 {
      let insertions = phase % 2 == 0 ? 9 : 2
      for _ in 0..<2_000 {
        if run.sorted.isEmpty || random.int(0...10) < insertions {
          run.insert(random.int(0...highest))
        } else if random.oneIn(20) {
          let place = random.int(0...run.sorted.count - 1)
          run.removeRun(at: place, maxCount: min(random.int(1...200), run.sorted.count - place))
        } else {
          run.remove(at: random.int(0...run.sorted.count - 1))
        }
      }
      run.check()
      run.checkRanks((0..<50).map { _ in random.int(-1...highest + 1) })
    }
    while !run.sorted.isEmpty { run.remove(at: random.int(0...run.sorted.count - 1)) }
    run.check()
    #expect(run.heap.bytes == 0)
    run.finish()
  }

  @Test("Ascending, descending and nearly ascending insertion fill the leaves well")
  func fill() {
    var random = SeededRandom(seed())
    let count = 40_000
    let orders: [(String, [Int], Double)] = [
      ("ascending", Array(0..<count), 8.5 / 0.98),
      ("descending", (0..<count).reversed(), 8.5 / 0.5),
      ("nearly ascending", (0..<count).map { $0 ^ random.int(0...15) }.uniqued(), 8.5 / 0.8),
      ("random", Array(0..<count).shuffled(using: &random), 8.5 / 0.7),
    ]
    for (name, order, bytesPerElement) in orders {
      var tree = OrderedTree<Int>()
      var heap = SlabHeap(pool: SlabPool())
      for number in order { tree.insert(number, &heap) }
      tree.checkInvariants()
      let bytes = Double(heap.bytes) / Double(order.count)
      #expect(bytes < bytesPerElement + 0.5, "\(name): \(bytes) bytes for each element")
      tree.release(&heap)
      heap.release()
    }
  }

  @Test("Runs removed from either end, whole leaves and all, leave a tree that holds")
  func runs() {
    for fromStart in [true, false] {
      var run = TreeRun()
      for number in 0..<5_000 { run.insert(number) }
      while run.sorted.count > 1 {
        let place = fromStart ? 0 : max(run.sorted.count - 150, 0)
        run.removeRun(at: place, maxCount: run.sorted.count - place)
        run.tree.checkInvariants()
      }
      run.check()
      run.remove(at: 0)
      #expect(run.heap.bytes == 0)
      run.finish()
    }
  }
}

extension Array where Element: Hashable {
  fileprivate func uniqued() -> [Element] {
    var seen: Set<Element> = []
    return filter { seen.insert($0).inserted }
  }
}
