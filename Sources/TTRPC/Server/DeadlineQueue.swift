/// The deadlines of deferred calls, earliest first: a binary heap. An entry whose call was
/// answered stays until it comes up or until such entries are the most; so its size is bounded by
/// the calls in flight, not by how many came within the longest timeout.
struct DeadlineQueue {
  struct Entry {
    var deadlineNanos: UInt64
    var address: CallAddress
  }

  private var heap: [Entry] = []
  private var compactAtCount = 64

  /// The earliest deadline, on the monotonic clock.
  var firstNanos: UInt64? { heap.first?.deadlineNanos }
  var count: Int { heap.count }

  /// - Parameter isPending: whether a call still waits for its answer.
  mutating func insert(_ entry: Entry, isPending: (CallAddress) -> Bool) {
    if heap.count >= compactAtCount {
      heap.removeAll { !isPending($0.address) }
      for index in stride(from: heap.count / 2 - 1, through: 0, by: -1) { siftDown(index) }
      compactAtCount = max(64, heap.count * 2)
    }
    heap.append(entry)
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      if heap[parent].deadlineNanos <= heap[child].deadlineNanos { break }
      heap.swapAt(parent, child)
      child = parent
    }
  }

  /// The earliest entry, where its time has come.
  mutating func removeFirst(until nowNanos: UInt64) -> CallAddress? {
    guard let first = heap.first, first.deadlineNanos <= nowNanos else { return nil }
    let last = heap.removeLast()
    if !heap.isEmpty {
      heap[0] = last
      siftDown(0)
    }
    return first.address
  }

  private mutating func siftDown(_ start: Int) {
    var parent = start
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < heap.count && heap[child].deadlineNanos < heap[least].deadlineNanos {
        least = child
      }
      if least == parent { return }
      heap.swapAt(parent, least)
      parent = least
    }
  }
}
