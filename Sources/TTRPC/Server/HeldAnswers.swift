#if canImport(Glibc)
  import Glibc
#endif

/// An answer that was written and is held back: a plain value in the loop's array.
struct HeldAnswer {
  /// It leaves once the gate has reached this.
  let mark: Int64
  /// Whose answer it is. `nil`: it has left, or was dropped.
  var machine: UnsafeMutablePointer<ServerConnection>?
  let registered: Unmanaged<RegisteredMethod>?
  let streamID: UInt32
  let requestBytes: UInt32
  let code: StatusCode
  let startedNanos: UInt64
  /// `.max`: never.
  let deadlineNanos: UInt64
  /// The pending call's; 0 in the tick of the call.
  var serial: UInt64 = 0
  /// Bytes of the answer's frame, its header included.
  let frameBytes: Int
  /// Where a small frame lies in the buffer.
  fileprivate(set) var offset = 0
  /// Where a large frame lies.
  fileprivate(set) var block: UnsafeMutableRawPointer?
}

/// The answers that an event loop holds back, in the order of their calls. Confined to the loop's
/// thread.
///
/// 1. The first `waitingCount` answers are of earlier ticks: they have pending calls, and their
///    serials ascend. The others are of the current tick.
/// 2. An answer whose `machine` is `nil` is gone; `goneCount` and `goneBytes` count such answers,
///    and what they leave in the buffer. When all are gone, the store is empty.
/// 3. Small frames lie in one buffer, in the order of the answers; a large frame has memory of its
///    own, so that it is not moved.
/// 4. No mark of a waiting answer is below `lowestMark`, none of any above `highestMark`.
/// 5. An empty store keeps at most `spareBytes` of frames and `spareCount` answers.
struct HeldAnswers: ~Copyable {
  /// From this size on a frame has memory of its own.
  static let largeBytes = 16 << 10
  private static let spareBytes = 256 << 10
  private static let spareCount = 4096

  private(set) var answers: UnsafeMutablePointer<HeldAnswer>
  private var capacity = 64
  private(set) var count = 0
  private(set) var waitingCount = 0
  private var goneCount = 0

  private var frames: UnsafeMutableRawPointer
  private var frameCapacity = 4 << 10
  private var usedBytes = 0
  private var goneBytes = 0

  private(set) var lowestMark = Int64.max
  private(set) var highestMark: Int64 = 0
  /// Whether an answer went out of its turn, so that the marks' bounds may be too wide.
  private(set) var boundsAreWide = false

  init() {
    answers = .allocate(capacity: capacity)
    frames = .allocate(byteCount: frameCapacity, alignment: 16)
  }

  deinit {
    for index in 0..<count { free(answers[index].block) }
    answers.deallocate()
    frames.deallocate()
  }

  @inline(__always)
  var isEmpty: Bool { count == 0 }

  /// Capacities, for tests: of the answers and of the buffer's bytes.
  var capacities: (Int, Int) { (capacity, frameCapacity) }

  /// Holds an answer of the current tick, and copies its frame.
  @inline(__always)
  mutating func append(_ answer: HeldAnswer, frame: UnsafeRawPointer) {
    if count == capacity { growAnswers() }
    let slot = answers + count
    slot.initialize(to: answer)
    count &+= 1
    if answer.mark > highestMark { highestMark = answer.mark }
    guard answer.frameBytes < Self.largeBytes else { return keepLarge(slot, frame) }
    if usedBytes &+ answer.frameBytes > frameCapacity { growFrames(answer.frameBytes) }
    slot.pointee.offset = usedBytes
    (frames + usedBytes).copyMemory(from: frame, byteCount: answer.frameBytes)
    usedBytes &+= answer.frameBytes
  }

  /// The answer's frame; valid until the store changes.
  @inline(__always)
  func frame(of answer: UnsafeMutablePointer<HeldAnswer>) -> UnsafeRawPointer {
    UnsafeRawPointer(answer.pointee.block ?? (frames + answer.pointee.offset))
  }

  /// The answer has left, or was replaced by another.
  @inline(__always)
  mutating func remove(_ answer: UnsafeMutablePointer<HeldAnswer>) {
    answer.pointee.machine = nil
    goneCount &+= 1
    if answer.pointee.block == nil {
      goneBytes &+= answer.pointee.frameBytes
    } else {
      free(answer.pointee.block)
      answer.pointee.block = nil
    }
  }

  /// Drops a waiting answer whose call ended in another way.
  /// - Returns: how many bytes its frame had; `nil` where none has the serial.
  mutating func drop(serial: UInt64) -> Int? {
    var (low, high) = (0, waitingCount)
    while low < high {
      let middle = (low + high) / 2
      if answers[middle].serial < serial { low = middle + 1 } else { high = middle }
    }
    guard low < waitingCount, answers[low].serial == serial, answers[low].machine != nil
    else { return nil }
    remove(answers + low)
    boundsAreWide = true
    let bytes = answers[low].frameBytes
    tidy()
    return bytes
  }

  /// All that is left has become pending calls.
  /// - Parameters: bounds of the marks.
  mutating func settle(lowestMark: Int64, highestMark: Int64) {
    waitingCount = count
    self.lowestMark = lowestMark
    self.highestMark = highestMark
    boundsAreWide = false
    tidy()
  }

  /// After answers failed in the middle.
  mutating func noteFailures() {
    boundsAreWide = true
    tidy()
  }

  // MARK: Memory

  /// Forgets what is gone, where that is all or the most of it.
  @inline(__always)
  private mutating func tidy() {
    if goneCount == count { return removeAll() }
    if goneCount > max(64, count / 2) || goneBytes > max(4096, usedBytes / 2) { compact() }
  }

  @inline(__always)
  private mutating func removeAll() {
    count = 0
    waitingCount = 0
    goneCount = 0
    usedBytes = 0
    goneBytes = 0
    lowestMark = .max
    highestMark = 0
    boundsAreWide = false
    if capacity > Self.spareCount || frameCapacity > Self.spareBytes { shrink() }
  }

  @inline(never)
  private mutating func shrink() {
    answers.deallocate()
    frames.deallocate()
    capacity = 64
    frameCapacity = 4 << 10
    answers = .allocate(capacity: capacity)
    frames = .allocate(byteCount: frameCapacity, alignment: 16)
  }

  @inline(never)
  private mutating func compact() {
    var (kept, keptWaiting, keptBytes) = (0, 0, 0)
    for index in 0..<count where answers[index].machine != nil {
      var answer = answers[index]
      if answer.block == nil {
        // Never upwards, so that nothing is overwritten that is still to be moved.
        memmove(frames + keptBytes, frames + answer.offset, answer.frameBytes)
        answer.offset = keptBytes
        keptBytes += answer.frameBytes
      }
      answers[kept] = answer
      kept += 1
      if index < waitingCount { keptWaiting += 1 }
    }
    count = kept
    waitingCount = keptWaiting
    usedBytes = keptBytes
    goneCount = 0
    goneBytes = 0
  }

  @inline(never)
  private mutating func keepLarge(
    _ answer: UnsafeMutablePointer<HeldAnswer>, _ frame: UnsafeRawPointer
  ) {
    let bytes = answer.pointee.frameBytes
    guard let block = malloc(bytes) else { fatalError("out of memory: \(bytes) bytes of answers") }
    block.copyMemory(from: frame, byteCount: bytes)
    answer.pointee.block = block
  }

  @inline(never)
  private mutating func growAnswers() {
    let grown = UnsafeMutablePointer<HeldAnswer>.allocate(capacity: capacity * 2)
    grown.moveInitialize(from: answers, count: count)
    answers.deallocate()
    answers = grown
    capacity *= 2
  }

  @inline(never)
  private mutating func growFrames(_ bytes: Int) {
    while usedBytes + bytes > frameCapacity { frameCapacity *= 2 }
    let grown = UnsafeMutableRawPointer.allocate(byteCount: frameCapacity, alignment: 16)
    grown.copyMemory(from: frames, byteCount: usedBytes)
    frames.deallocate()
    frames = grown
  }
}
