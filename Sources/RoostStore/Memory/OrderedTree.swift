/// A B+tree with the number of elements below each child, so that the rank of a position costs
/// as much as finding it: O(log n). Guarded by its shard's lock.
///
/// 1. Elements are in strict order, in leaves that are linked both ways.
/// 2. An inner node's `smallest[i]` and `sizes[i]` are the first element and the number of
///    elements below `children[i]`, exactly.
/// 3. No node but the root is empty; an inner node that is not the root has a quarter of its
///    children at least.
/// 4. No operation allocates more than one node for each level, or moves more than two nodes'
///    content there.
struct OrderedTree<Element: TreeElement>: ~Copyable {
  typealias Node = TreeNode<Element>

  /// Free places that make it worth while to shift elements to a sibling instead of splitting.
  private static var worthShifting: Int { Node.leafCapacity / 8 }
  private static var maxDepth: Int { 16 }

  private var root: Node?
  private(set) var count = 0
  /// Rises with each change: a cursor is valid while it stays.
  private(set) var changes: UInt64 = 0
  /// Where a removal or replacement met its element above the leaf.
  private let met: UnsafeMutablePointer<UnsafeMutablePointer<Element>>

  init() { met = .allocate(capacity: Self.maxDepth) }

  /// Frees the nodes. What the elements point to is the caller's to free, before.
  mutating func release(_ heap: inout SlabHeap) {
    if let root { releaseNodes(root, &heap) }
    root = nil
    count = 0
    met.deallocate()
  }

  private func releaseNodes(_ node: Node, _ heap: inout SlabHeap) {
    if !node.isLeaf {
      for index in 0..<node.count { releaseNodes(node.children[index], &heap) }
    }
    node.release(&heap)
  }

  // MARK: Lookup

  var first: Element? {
    guard let root else { return nil }
    return root.first
  }

  /// How many elements `isBefore` accepts; it must accept a prefix of the order.
  @inline(__always)
  func rank(_ isBefore: (Element) -> Bool) -> Int {
    guard var node = root else { return 0 }
    var rank = 0
    while !node.isLeaf {
      let child = max(node.keysBefore(isBefore) &- 1, 0)
      for index in 0..<child { rank &+= node.sizes[index] }
      node = node.children[child]
    }
    return rank &+ node.keysBefore(isBefore)
  }

  /// The position after all elements that `isBefore` accepts; it must accept a prefix.
  @inline(__always)
  func seek(_ isBefore: (Element) -> Bool) -> TreeCursor<Element> {
    guard var node = root else { return TreeCursor(leaf: nil, index: 0) }
    while !node.isLeaf {
      node = node.children[max(node.keysBefore(isBefore) &- 1, 0)]
    }
    return TreeCursor(leaf: node, index: node.keysBefore(isBefore))
  }

  // MARK: Change

  /// Adds an element that is not in the tree.
  mutating func insert(_ element: Element, _ heap: inout SlabHeap) {
    changes &+= 1
    guard var node = root else {
      let leaf = Node.allocate(level: 0, &heap)
      leaf.elements[0] = element
      leaf.count = 1
      root = leaf
      count = 1
      return
    }
    if node.count == node.capacity {
      let above = Node.allocate(level: node.level &+ 1, &heap)
      above.smallest[0] = node.first
      above.children[0] = node
      above.sizes[0] = count
      above.count = 1
      root = above
      node = above
    }
    count &+= 1
    while !node.isLeaf {
      var index = childIndex(node, element)
      if node.children[index].count == node.children[index].capacity {
        makeRoom(node, index, for: element, &heap)
        index = childIndex(node, element)
      }
      if Element.precedes(element, node.smallest[index]) { node.smallest[index] = element }
      node.sizes[index] &+= 1
      node = node.children[index]
    }
    let index = node.keysBefore { Element.precedes($0, element) }
    node.shift(from: index, by: 1)
    node.elements[index] = element
  }

  /// Removes an element that is in the tree.
  mutating func remove(_ element: Element, _ heap: inout SlabHeap) {
    guard var node = root else { preconditionFailure("the tree is empty") }
    var metCount = 0
    changes &+= 1
    while !node.isLeaf {
      var index = childIndex(node, element)
      let child = node.children[index]
      if child.count <= child.capacity / 4, node.count > 1 {
        fill(node, index, &heap)
        index = childIndex(node, element)
      }
      if node.smallest[index] == element {
        met[metCount] = node.smallest + index
        metCount &+= 1
      }
      node.sizes[index] &-= 1
      node = node.children[index]
    }
    let index = node.keysBefore { Element.precedes($0, element) }
    precondition(index < node.count && node.elements[index] == element, "not in the tree")
    node.shift(from: index &+ 1, by: -1)
    count &-= 1
    if node.count > 0 {
      for place in 0..<metCount { met[place].pointee = node.elements[0] }
    }
    dropEmptyRoots(&heap)
  }

  /// Removes `element`, which is in the tree, and those after it in its leaf: up to
  /// `maxCount`, but not a whole leaf.
  /// - Parameter removed: takes them; has room for a leaf.
  /// - Returns: how many, at least one.
  mutating func removeRun(
    from element: Element, maxCount: Int, into removed: UnsafeMutablePointer<Element>,
    _ heap: inout SlabHeap
  ) -> Int {
    guard let root else { preconditionFailure("the tree is empty") }
    changes &+= 1
    let leaf = fillDown(to: element, root, &heap)
    let index = leaf.keysBefore { Element.precedes($0, element) }
    precondition(index < leaf.count && leaf.elements[index] == element, "not in the tree")
    let isWhole = index == 0 && leaf != root
    let run = min(maxCount, leaf.count &- index &- (isWhole ? 1 : 0))
    removed.update(from: leaf.elements + index, count: run)
    let next = index &+ run < leaf.count ? leaf.elements[index &+ run] : element
    var node = root
    while !node.isLeaf {
      let child = childIndex(node, element)
      // Where the run begins the leaf, part of it is left, and begins it then.
      if node.smallest[child] == element { node.smallest[child] = next }
      node.sizes[child] &-= run
      node = node.children[child]
    }
    leaf.shift(from: index &+ run, by: 0 &- run)
    count &-= run
    dropEmptyRoots(&heap)
    return run
  }

  /// The leaf that holds `element`, after all on the way to it are made more than a quarter
  /// full.
  private func fillDown(
    to element: Element, _ root: Node, _ heap: inout SlabHeap
  ) -> Node {
    var node = root
    while !node.isLeaf {
      var index = childIndex(node, element)
      let child = node.children[index]
      if child.count <= child.capacity / 4, node.count > 1 {
        fill(node, index, &heap)
        index = childIndex(node, element)
      }
      node = node.children[index]
    }
    return node
  }

  /// Puts `other`, which has the same place in the order, where `element` is.
  mutating func replace(_ element: Element, with other: Element) {
    changes &+= 1
    guard var node = root else { preconditionFailure("the tree is empty") }
    while !node.isLeaf {
      let index = childIndex(node, element)
      if node.smallest[index] == element { node.smallest[index] = other }
      node = node.children[index]
    }
    let index = node.keysBefore { Element.precedes($0, element) }
    precondition(index < node.count && node.elements[index] == element, "not in the tree")
    node.elements[index] = other
  }

  // MARK: Balance

  /// The child that holds `element`, or that it belongs to.
  @inline(__always)
  private func childIndex(_ node: Node, _ element: Element) -> Int {
    max(node.keysBefore { !Element.precedes(element, $0) } &- 1, 0)
  }

  /// Makes a place in a full child of a node that is not full: a right-most leaf that is
  /// appended to is left full, a leaf with a half-empty sibling shifts to it, the rest splits.
  private func makeRoom(
    _ node: Node, _ index: Int, for element: Element, _ heap: inout SlabHeap
  ) {
    let child = node.children[index]
    guard child.isLeaf else { return split(node, index, moving: child.count / 2, &heap) }
    if child.next == nil, Element.precedes(child.elements[child.count &- 1], element) {
      return split(node, index, moving: 1, &heap)
    }
    if index &+ 1 < node.count {
      let free = Node.leafCapacity &- node.children[index &+ 1].count
      if free >= Self.worthShifting { return shiftRight(node, index, free / 2) }
    }
    if index > 0 {
      let free = Node.leafCapacity &- node.children[index &- 1].count
      if free >= Self.worthShifting { return shiftLeft(node, index &- 1, free / 2) }
    }
    split(node, index, moving: child.count / 2, &heap)
  }

  /// Moves the last `moved` entries of a child to a new node after it.
  private func split(
    _ node: Node, _ index: Int, moving moved: Int, _ heap: inout SlabHeap
  ) {
    let left = node.children[index]
    let right = Node.allocate(level: left.level, &heap)
    if left.isLeaf {
      right.next = left.next
      right.previous = left
      left.next?.previous = right
      left.next = right
    }
    left.moveLast(moved, to: right)
    node.shift(from: index &+ 1, by: 1)
    let movedSize = right.size
    node.sizes[index] &-= movedSize
    node.sizes[index &+ 1] = movedSize
    node.smallest[index &+ 1] = right.first
    node.children[index &+ 1] = right
  }

  /// Moves the last `moved` entries of child `index` to the next child.
  private func shiftRight(_ node: Node, _ index: Int, _ moved: Int) {
    let right = node.children[index &+ 1]
    node.children[index].moveLast(moved, to: right)
    resize(node, index)
  }

  /// Moves the first `moved` entries of the child after `index` to child `index`.
  private func shiftLeft(_ node: Node, _ index: Int, _ moved: Int) {
    node.children[index].takeFirst(moved, of: node.children[index &+ 1])
    resize(node, index)
  }

  /// Restores invariant 2 for child `index` and the next one, whose sum has not changed.
  private func resize(_ node: Node, _ index: Int) {
    let sum = node.sizes[index] &+ node.sizes[index &+ 1]
    let left = node.children[index].size
    node.sizes[index] = left
    node.sizes[index &+ 1] = sum &- left
    node.smallest[index &+ 1] = node.children[index &+ 1].first
  }

  /// Brings a child that is a quarter full or less above that: from a sibling, or by merging.
  private func fill(_ node: Node, _ index: Int, _ heap: inout SlabHeap) {
    let left = index > 0 ? index &- 1 : 0
    let (a, b) = (node.children[left], node.children[left &+ 1])
    if a.count &+ b.count <= a.capacity * 3 / 4 {
      a.takeFirst(b.count, of: b)
      node.sizes[left] &+= node.sizes[left &+ 1]
      if b.isLeaf {
        a.next = b.next
        b.next?.previous = a
      }
      node.shift(from: left &+ 2, by: -1)
      b.release(&heap)
    } else if a.count > b.count {
      shiftRight(node, left, (a.count &- b.count) / 2)
    } else {
      shiftLeft(node, left, (b.count &- a.count) / 2)
    }
  }

  private mutating func dropEmptyRoots(_ heap: inout SlabHeap) {
    while let node = root {
      if node.isLeaf {
        guard node.count == 0 else { return }
        node.release(&heap)
        root = nil
      } else {
        guard node.count == 1 else { return }
        root = node.children[0]
        node.release(&heap)
      }
    }
  }

  // MARK: Checks

  /// Traps where an invariant does not hold. For tests; O(n).
  func checkInvariants() {
    guard let root else { return precondition(count == 0) }
    var last: Element?
    var lastLeaf: Node?
    check(root, isRoot: true, &last, &lastLeaf)
    precondition(root.size == count && lastLeaf?.next == nil)
  }

  private func check(_ node: Node, isRoot: Bool, _ last: inout Element?, _ leaf: inout Node?) {
    precondition(node.count <= node.capacity && (isRoot || node.count > 0))
    if node.isLeaf {
      precondition(node.previous == leaf && (leaf == nil || leaf?.next == node))
      leaf = node
      for index in 0..<node.count {
        if let last { precondition(Element.precedes(last, node.elements[index])) }
        last = node.elements[index]
      }
      return
    }
    precondition(isRoot ? node.count > 1 : node.count >= Node.innerCapacity / 4)
    for index in 0..<node.count {
      let child = node.children[index]
      precondition(child.level == node.level - 1 && child.size == node.sizes[index])
      precondition(child.first == node.smallest[index])
      check(child, isRoot: false, &last, &leaf)
    }
  }
}

/// A place between two elements of a tree. Valid until the tree changes.
struct TreeCursor<Element: TreeElement> {
  private var leaf: TreeNode<Element>?
  private var index: Int

  init(leaf: TreeNode<Element>?, index: Int) {
    self.leaf = leaf
    self.index = index
  }

  /// The element after the place, which moves behind it.
  @inline(__always) mutating func next() -> Element? {
    while let node = leaf {
      if index < node.count {
        index &+= 1
        return node.elements[index &- 1]
      }
      guard let following = node.next else { return nil }
      leaf = following
      index = 0
    }
    return nil
  }

  /// The element `distance` places after the one that `next` will give, where its leaf has it.
  @inline(__always) func ahead(_ distance: Int) -> Element? {
    guard let node = leaf, index &+ distance < node.count else { return nil }
    return node.elements[index &+ distance]
  }

  /// As `ahead`, for `previous`.
  @inline(__always) func behind(_ distance: Int) -> Element? {
    guard let node = leaf, index > distance, index <= node.count else { return nil }
    return node.elements[index &- distance &- 1]
  }

  /// The element before the place, which moves in front of it.
  @inline(__always) mutating func previous() -> Element? {
    while let node = leaf {
      if index > 0 {
        index &-= 1
        return node.elements[index]
      }
      guard let preceding = node.previous else { return nil }
      leaf = preceding
      index = preceding.count
    }
    return nil
  }
}
