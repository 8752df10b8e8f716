import CLinux
import Synchronization
import TTRPC

#if canImport(Glibc)
  import Glibc
#endif

/// What other threads leave for an event loop: a stack that they push to without a lock, and an
/// eventfd that wakes the loop when the first item comes. Safe from any thread; `takeAll` is the
/// loop's alone.
///
/// 1. Whoever pushes to an empty stack writes to the eventfd, unless it is the loop itself, which
///    looks at the stack before it waits.
/// 2. Items of one thread are taken in the order in which it posted them.
/// 3. At most one `wake` is on the stack, and it is always the same node: asking for one allocates
///    nothing.
final class LoopMailbox: AnswerMailbox {
  enum Item: Sendable {
    case answer(DeferredAnswer)
    case adopt(AcceptedSocket)
    /// Look at the gate.
    case wake
    /// Finish what is in flight until the time, on the monotonic clock, and end.
    case drain(untilNanos: UInt64)
  }

  // Unchecked: a node belongs to whoever pushes it until it is on the stack, then to the loop until
  // it was taken; the stack's exchanges hand it over.
  private final class Node: @unchecked Sendable {
    let item: Item
    var next: UnsafeMutableRawPointer?
    init(_ item: Item) { self.item = item }
  }

  /// Readable while there are items that the loop was not told of.
  let wakeDescriptor: Int32
  /// Connections that the loop has, or is about to adopt.
  let connectionCount = Atomic<Int>(0)
  /// The newest node's address, 0: none.
  private let head = Atomic<UInt>(0)
  private let owner = Atomic<UInt>(0)
  private let wakeNode = Node(.wake)
  /// Whether the wake node is on the stack, or about to be.
  private let isWakeRequested = Atomic<Bool>(false)

  init() throws(BindError) {
    wakeDescriptor = clinux_eventfd()
    if wakeDescriptor < 0 { throw BindError(operation: "eventfd", errno) }
  }

  deinit {
    discardAll()
    close(wakeDescriptor)
  }

  /// Drops all items; there is no loop any more that would take them.
  func discardAll() {
    takeAll { item in
      if case .adopt(let socket) = item { close(socket.descriptor) }
    }
  }

  /// The calling thread is the loop's.
  func becomeOwner() { owner.store(UInt(pthread_self()), ordering: .relaxed) }

  /// Whether there is anything to take.
  @inline(__always)
  var isEmpty: Bool { head.load(ordering: .acquiring) == 0 }

  func post(_ answer: DeferredAnswer) { post(.answer(answer)) }

  func post(_ item: Item) { push(Node(item)) }

  /// Lets the loop look at its gate. What the caller did before is seen by then.
  func requestWake() {
    guard !isWakeRequested.exchange(true, ordering: .acquiringAndReleasing) else { return }
    push(wakeNode)
  }

  /// To be called for each `wake` that was taken, before the gate is looked at: what is asked for
  /// from now on is another wake.
  func acknowledgeWakeRequest() {
    _ = isWakeRequested.exchange(false, ordering: .acquiringAndReleasing)
  }

  private func push(_ node: Node) {
    let address = UInt(bitPattern: Unmanaged.passRetained(node).toOpaque())
    var expected = head.load(ordering: .relaxed)
    while true {
      node.next = UnsafeMutableRawPointer(bitPattern: expected)
      let (done, current) = head.weakCompareExchange(
        expected: expected, desired: address, successOrdering: .releasing,
        failureOrdering: .relaxed)
      if done { break }
      expected = current
    }
    if expected == 0 && owner.load(ordering: .relaxed) != UInt(pthread_self()) { wake() }
  }

  private func wake() {
    var one: UInt64 = 1
    // Fails only where the counter is full, and then the loop is woken anyway.
    _ = write(wakeDescriptor, &one, MemoryLayout<UInt64>.size)
  }

  /// Makes the eventfd wait for the next item.
  func acknowledgeWake() {
    var count: UInt64 = 0
    _ = read(wakeDescriptor, &count, MemoryLayout<UInt64>.size)
  }

  /// Takes all items, the oldest first.
  func takeAll(_ body: (Item) -> Void) {
    var stack = UnsafeMutableRawPointer(bitPattern: head.exchange(0, ordering: .acquiring))
    var queue: UnsafeMutableRawPointer?
    while let pointer = stack {
      let node = Unmanaged<Node>.fromOpaque(pointer).takeUnretainedValue()
      stack = node.next
      node.next = queue
      queue = pointer
    }
    while let pointer = queue {
      let node = Unmanaged<Node>.fromOpaque(pointer).takeRetainedValue()
      queue = node.next
      body(node.item)
    }
  }
}
