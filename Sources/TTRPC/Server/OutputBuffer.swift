#if canImport(Glibc)
  import Glibc
#endif

/// Bytes on their way to a peer. Confined to one thread. It holds memory only while it holds
/// bytes: an idle connection costs none.
///
/// 1. `sentBytes <= writtenBytes <= capacity`.
/// 2. What lies between `sentBytes` and `writtenBytes` has not been sent.
/// 3. Memory of `OutputBlocks.blockBytes` belongs to the loop's blocks, any other to malloc.
struct OutputBuffer: ~Copyable {
  private var base: UnsafeMutableRawPointer?
  private(set) var capacity = 0
  /// Where the next byte goes.
  private(set) var writtenBytes = 0
  private var sentBytes = 0
  private let blocks: UnsafeMutablePointer<OutputBlocks>

  /// - Parameter blocks: the loop's; they outlive the buffer.
  init(blocks: UnsafeMutablePointer<OutputBlocks>) { self.blocks = blocks }

  deinit {
    if let base { blocks.pointee.giveBack(base, capacity) }
  }

  /// Bytes that have not been sent.
  @inline(__always)
  var unsentBytes: Int { writtenBytes &- sentBytes }

  /// What has not been sent; valid until the buffer changes.
  @inline(__always)
  var unsent: UnsafeRawBufferPointer {
    guard let base else { return UnsafeRawBufferPointer(start: nil, count: 0) }
    return UnsafeRawBufferPointer(start: base + sentBytes, count: unsentBytes)
  }

  /// Makes room for `bytes` more, and gives where they go; `advance` says how many came.
  @inline(__always)
  mutating func reserve(_ bytes: Int) -> UnsafeMutableRawPointer {
    if writtenBytes &+ bytes > capacity { grow(bytes) }
    return base.unsafelyUnwrapped + writtenBytes
  }

  /// Notes that `bytes` were written to what `reserve` gave.
  @inline(__always)
  mutating func advance(_ bytes: Int) {
    writtenBytes &+= bytes
    assert(writtenBytes <= capacity)
  }

  /// Adds bytes.
  @inline(__always)
  mutating func append(_ bytes: UnsafeRawPointer, count: Int) {
    reserve(count).copyMemory(from: bytes, byteCount: count)
    advance(count)
  }

  /// Where the last `count` bytes lie, which have not been sent; valid until the buffer changes.
  @inline(__always)
  func lastBytes(_ count: Int) -> UnsafeRawPointer {
    precondition(count > 0 && count <= unsentBytes)
    return UnsafeRawPointer(base.unsafelyUnwrapped + (writtenBytes &- count))
  }

  /// Takes the last `count` bytes back, which have not been sent.
  @inline(__always)
  mutating func removeLast(_ count: Int) {
    precondition(count >= 0 && count <= unsentBytes)
    writtenBytes &-= count
    if sentBytes == writtenBytes { removeAll() }
  }

  @inline(never)
  private mutating func grow(_ bytes: Int) {
    guard let old = base else {
      (base, capacity) = blocks.pointee.take(atLeast: bytes)
      return
    }
    let (grown, grownBytes) = blocks.pointee.take(atLeast: max(capacity * 2, unsentBytes + bytes))
    let kept = unsent
    if let start = kept.baseAddress { grown.copyMemory(from: start, byteCount: kept.count) }
    blocks.pointee.giveBack(old, capacity)
    writtenBytes = kept.count
    sentBytes = 0
    (base, capacity) = (grown, grownBytes)
  }

  /// Notes that `bytes` of `unsent` went out. When all is sent, the memory is given back.
  @inline(__always)
  mutating func didSend(_ bytes: Int) {
    precondition(bytes >= 0 && bytes <= unsentBytes)
    sentBytes &+= bytes
    if sentBytes == writtenBytes { removeAll() }
  }

  /// Forgets all bytes.
  @inline(__always)
  mutating func removeAll() {
    sentBytes = 0
    writtenBytes = 0
    guard let memory = base else { return }
    blocks.pointee.giveBack(memory, capacity)
    base = nil
    capacity = 0
  }
}

/// A loop's spare output blocks, the last used first. Confined to the loop's thread.
struct OutputBlocks: ~Copyable {
  /// Holds the answers of one connection and tick in most cases.
  static let blockBytes = 8 << 10
  private static let maxSpareBlocks = 512

  private var spare: UnsafeMutablePointer<UnsafeMutableRawPointer>
  private var spareCount = 0

  init() { spare = .allocate(capacity: Self.maxSpareBlocks) }

  deinit {
    for index in 0..<spareCount { free(spare[index]) }
    spare.deallocate()
  }

  @inline(__always)
  mutating func take(atLeast bytes: Int) -> (UnsafeMutableRawPointer, Int) {
    if bytes <= Self.blockBytes && spareCount > 0 {
      spareCount &-= 1
      return (spare[spareCount], Self.blockBytes)
    }
    return Self.allocate(atLeast: bytes)
  }

  @inline(never)
  private static func allocate(atLeast bytes: Int) -> (UnsafeMutableRawPointer, Int) {
    var size = blockBytes
    while size < bytes { size *= 2 }
    guard let memory = malloc(size) else { fatalError("out of memory: \(size) bytes of answers") }
    return (memory, size)
  }

  @inline(__always)
  mutating func giveBack(_ memory: UnsafeMutableRawPointer, _ bytes: Int) {
    if bytes == Self.blockBytes && spareCount < Self.maxSpareBlocks {
      spare[spareCount] = memory
      spareCount &+= 1
    } else {
      free(memory)
    }
  }
}
