/// What an `OrderedTree` keeps: plain data in a strict total order.
protocol TreeElement: Equatable, BitwiseCopyable {
  static func precedes(_ left: Self, _ right: Self) -> Bool
  /// Brings what `precedes` will read closer.
  func prefetch()
}

extension TreeElement {
  /// Nothing: the element is all that is read.
  @inline(__always) func prefetch() {}
}

/// One node of an `OrderedTree`: a bare pointer, owned by the node above it.
///
/// Layout, 8-byte words. A leaf: count u32, level u32 (0); previous leaf; next leaf; elements.
/// An inner node: count u32, level u32; for each child its smallest element, then for each its
/// address, then for each the number of elements below it.
struct TreeNode<Element: TreeElement>: Equatable {
  let address: UnsafeMutableRawPointer

  @inline(__always) init(_ address: UnsafeMutableRawPointer) { self.address = address }

  /// 125 elements of 8 bytes, 62 of 16.
  @inline(__always) static var leafCapacity: Int { 1000 / MemoryLayout<Element>.stride }
  @inline(__always) static var innerCapacity: Int { 63 }
  @inline(__always) private static var leafBytes: Int { 1024 }
  @inline(__always) private static var innerBytes: Int {
    8 &+ innerCapacity &* (16 &+ MemoryLayout<Element>.stride)
  }

  static func allocate(level: Int, _ heap: inout SlabHeap) -> TreeNode {
    let bytes = level == 0 ? leafBytes : innerBytes
    let node = TreeNode(heap.allocate(bytes))
    node.count = 0
    node.address.storeBytes(
      of: UInt32(truncatingIfNeeded: level), toByteOffset: 4, as: UInt32.self)
    if level == 0 {
      node.previous = nil
      node.next = nil
    }
    return node
  }

  func release(_ heap: inout SlabHeap) {
    heap.release(address, bytes: isLeaf ? Self.leafBytes : Self.innerBytes)
  }

  var count: Int {
    @inline(__always) get { Int(address.load(as: UInt32.self)) }
    @inline(__always) nonmutating set {
      address.storeBytes(of: UInt32(truncatingIfNeeded: newValue), as: UInt32.self)
    }
  }

  @inline(__always) var level: Int { Int(address.load(fromByteOffset: 4, as: UInt32.self)) }
  @inline(__always) var isLeaf: Bool { level == 0 }
  @inline(__always) var capacity: Int { isLeaf ? Self.leafCapacity : Self.innerCapacity }

  // MARK: Leaves

  var previous: TreeNode? {
    @inline(__always) get { link(8) }
    @inline(__always) nonmutating set { setLink(8, newValue) }
  }

  var next: TreeNode? {
    @inline(__always) get { link(16) }
    @inline(__always) nonmutating set { setLink(16, newValue) }
  }

  @inline(__always) var elements: UnsafeMutablePointer<Element> {
    (address + 24).assumingMemoryBound(to: Element.self)
  }

  @inline(__always) private func link(_ offset: Int) -> TreeNode? {
    guard let node = address.load(fromByteOffset: offset, as: UnsafeMutableRawPointer?.self)
    else { return nil }
    return TreeNode(node)
  }

  @inline(__always) private func setLink(_ offset: Int, _ node: TreeNode?) {
    address.storeBytes(
      of: node?.address, toByteOffset: offset, as: UnsafeMutableRawPointer?.self)
  }

  // MARK: Inner nodes

  @inline(__always) var smallest: UnsafeMutablePointer<Element> {
    (address + 8).assumingMemoryBound(to: Element.self)
  }

  @inline(__always) var children: UnsafeMutablePointer<TreeNode> {
    (address + 8 + Self.innerCapacity &* MemoryLayout<Element>.stride)
      .assumingMemoryBound(to: TreeNode.self)
  }

  @inline(__always) var sizes: UnsafeMutablePointer<Int> {
    (address + 8 + Self.innerCapacity &* (MemoryLayout<Element>.stride &+ 8))
      .assumingMemoryBound(to: Int.self)
  }

  // MARK: Both

  /// The node's first element. Not of an empty leaf.
  @inline(__always) var first: Element { isLeaf ? elements[0] : smallest[0] }

  /// Elements in and below the node.
  var size: Int {
    if isLeaf { return count }
    var sum = 0
    for index in 0..<count { sum &+= sizes[index] }
    return sum
  }

  /// How many of the node's own keys (a leaf's elements, an inner node's smallest ones)
  /// `isBefore` accepts; it must accept a prefix of them.
  @inline(__always)
  func keysBefore(_ isBefore: (Element) -> Bool) -> Int {
    let keys = isLeaf ? elements : smallest
    var low = 0
    var high = count
    while low < high {
      // What three steps may look at comes at once: one wait for memory instead of three.
      prefetchMiddles(keys, low, high)
      for _ in 0..<3 where low < high {
        let middle = (low &+ high) >> 1
        if isBefore(keys[middle]) { low = middle &+ 1 } else { high = middle }
      }
    }
    return low
  }

  @inline(__always)
  private func prefetchMiddles(
    _ keys: UnsafeMutablePointer<Element>, _ low: Int, _ high: Int
  ) {
    let middle = (low &+ high) >> 1
    let lower = (low &+ middle) >> 1
    let upper = (middle &+ 1 &+ high) >> 1
    let last = high &- 1
    keys[middle].prefetch()
    keys[lower].prefetch()
    keys[min(upper, last)].prefetch()
    keys[(low &+ lower) >> 1].prefetch()
    keys[min((lower &+ 1 &+ middle) >> 1, last)].prefetch()
    keys[min((middle &+ 1 &+ upper) >> 1, last)].prefetch()
    keys[min((upper &+ 1 &+ high) >> 1, last)].prefetch()
  }

  /// Opens or closes a gap: moves all from `index` on by `distance` places.
  func shift(from index: Int, by distance: Int) {
    let moved = count &- index
    if isLeaf {
      (elements + index + distance).update(from: elements + index, count: moved)
    } else {
      (smallest + index + distance).update(from: smallest + index, count: moved)
      (children + index + distance).update(from: children + index, count: moved)
      (sizes + index + distance).update(from: sizes + index, count: moved)
    }
    count &+= distance
  }

  /// Copies `count` entries of a node of the same level over those from `index` on.
  func copy(_ other: TreeNode, from start: Int, to index: Int, count: Int) {
    if isLeaf {
      (elements + index).update(from: other.elements + start, count: count)
    } else {
      (smallest + index).update(from: other.smallest + start, count: count)
      (children + index).update(from: other.children + start, count: count)
      (sizes + index).update(from: other.sizes + start, count: count)
    }
  }

  /// Moves the last `moved` entries to the front of `right`, the next node of this level.
  func moveLast(_ moved: Int, to right: TreeNode) {
    right.shift(from: 0, by: moved)
    right.copy(self, from: count &- moved, to: 0, count: moved)
    count &-= moved
  }

  /// Moves the first `moved` entries of `right`, the next node of this level, to the end.
  func takeFirst(_ moved: Int, of right: TreeNode) {
    copy(right, from: 0, to: count, count: moved)
    count &+= moved
    right.shift(from: moved, by: 0 &- moved)
  }
}
