#if canImport(Glibc)
  import Glibc
#endif

/// What the next bytes of a connection are.
enum FrameStep {
  /// A whole frame: its header, and where the header lies, the data behind it.
  case frame(FrameHeader, UnsafeRawPointer)
  /// A frame with more data than is allowed; its data will be skipped.
  case oversized(FrameHeader, UnsafeRawPointer)
  /// No ttrpc: a frame of 16 MiB or more.
  case hopeless
  /// The rest is less than a frame.
  case incomplete
}

/// Finds frames in place.
struct FrameCursor {
  private let base: UnsafeRawPointer
  private let end: Int
  private(set) var offset = 0

  @inline(__always)
  init(_ base: UnsafeRawPointer, count: Int) {
    self.base = base
    end = count
  }

  /// What is left.
  @inline(__always)
  var rest: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: base + offset, count: end &- offset)
  }

  /// Goes over bytes of an oversized frame.
  mutating func skip(_ bytes: Int) {
    precondition(bytes >= 0 && bytes <= end - offset)
    offset += bytes
  }

  /// Goes over one frame, or over the header of an oversized one.
  @inline(__always)
  mutating func next() -> FrameStep {
    let available = end &- offset
    guard available >= FrameHeader.byteCount else {
      // From 16 MiB on the first byte of the length is not zero.
      let isHopeless = available > 0 && base.load(fromByteOffset: offset, as: UInt8.self) != 0
      return isHopeless ? .hopeless : .incomplete
    }
    let start = base + offset
    let header = FrameHeader(unsafe: start)
    let dataBytes = header.dataByteCount
    if dataBytes > FrameHeader.maxDataBytes {
      guard dataBytes < FrameHeader.unskippableDataBytes else { return .hopeless }
      offset &+= FrameHeader.byteCount
      return .oversized(header, start)
    }
    guard available &- FrameHeader.byteCount >= dataBytes else { return .incomplete }
    offset &+= FrameHeader.byteCount &+ dataBytes
    return .frame(header, start)
  }
}

/// Bytes of a connection that are not decoded yet: the beginning of a frame, or frames that wait.
/// Holds memory only while it holds bytes, and no more than twice as much.
struct PendingInput: ~Copyable {
  private var base: UnsafeMutableRawPointer?
  private(set) var capacity = 0
  private(set) var count = 0

  init() {}

  deinit { free(base) }

  var isEmpty: Bool { count == 0 }

  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

  /// How many bytes are missing from the frame that it begins with, or from its header; 0: none,
  /// or more than a frame may have.
  var missingBytes: Int {
    guard let base, count >= FrameHeader.byteCount else { return FrameHeader.byteCount - count }
    let dataBytes = FrameHeader(unsafe: base).dataByteCount
    guard dataBytes <= FrameHeader.maxDataBytes else { return 0 }
    return max(0, FrameHeader.byteCount + dataBytes - count)
  }

  mutating func append(_ bytes: UnsafeRawBufferPointer) {
    guard let source = bytes.baseAddress, bytes.count > 0 else { return }
    let needed = count + bytes.count
    if needed > capacity {
      // The room for a small frame at once; for a large one as its bytes come.
      let wanted = max(needed, min(needed * 2, needed + missingBytes), 64)
      guard let grown = realloc(base, wanted) else {
        fatalError("out of memory: \(wanted) bytes of input")
      }
      base = grown
      capacity = wanted
    }
    base.unsafelyUnwrapped.advanced(by: count).copyMemory(from: source, byteCount: bytes.count)
    count = needed
  }

  /// Hands over the memory, which the caller frees, and is empty then.
  mutating func take() -> UnsafeMutableRawBufferPointer {
    defer {
      base = nil
      capacity = 0
      count = 0
    }
    return UnsafeMutableRawBufferPointer(start: base, count: count)
  }

  mutating func removeAll() {
    free(base)
    base = nil
    capacity = 0
    count = 0
  }
}

extension FrameHeader {
  /// Reads a header from `byteCount` bytes.
  @inline(__always)
  init(unsafe bytes: UnsafeRawPointer) {
    self.init(decoding: UnsafeRawBufferPointer(start: bytes, count: FrameHeader.byteCount))
  }

  /// Writes the header to `byteCount` bytes.
  @inline(__always)
  func encode(unsafe bytes: UnsafeMutableRawPointer) {
    encode(into: UnsafeMutableRawBufferPointer(start: bytes, count: FrameHeader.byteCount))
  }
}
