/// `ttrpc.Request` (Protos/ttrpc/ttrpc.proto), read in place: the fields point into the frame.
/// Unknown fields are skipped, the last of a repeated singular field counts, and nothing is
/// allocated, whatever the bytes are.
struct RequestEnvelope {
  var service = UnsafeRawBufferPointer(start: nil, count: 0)
  var method = UnsafeRawBufferPointer(start: nil, count: 0)
  var payload = UnsafeRawBufferPointer(start: nil, count: 0)
  /// 0: no deadline; negative: it has passed.
  var timeoutNanos: Int64 = 0
  /// From the first metadata pair to the last, other fields between them included.
  var metadataFields = UnsafeRawBufferPointer(start: nil, count: 0)
  /// Bytes that the metadata pairs take, each with its tag and length.
  var metadataBytes = 0
  var isMalformed = false

  /// Whether a service or a method was read.
  @inline(__always)
  var hasNames: Bool { service.baseAddress != nil || method.baseAddress != nil }

  /// Field numbers.
  enum Field {
    static let service: UInt64 = 1
    static let method: UInt64 = 2
    static let payload: UInt64 = 3
    static let timeoutNanos: UInt64 = 4
    static let metadata: UInt64 = 5
  }

  init() {}

  /// Reads the fields from `offset` on. `false`: they are not protobuf.
  @inline(__always)
  mutating func read(_ bytes: UnsafeRawBufferPointer, from offset: Int) -> Bool {
    var fields = ProtobufFields(bytes, from: offset)
    while !fields.isAtEnd {
      let start = fields.offset
      guard let tag = fields.readVarint() else { return false }
      switch tag {
      case Field.payload << 3 | 2:
        guard let value = fields.readBytes() else { return false }
        payload = value
      case Field.timeoutNanos << 3:
        guard let value = fields.readVarint() else { return false }
        timeoutNanos = Int64(bitPattern: value)
      case Field.service << 3 | 2:
        guard let value = fields.readBytes() else { return false }
        service = value
      case Field.method << 3 | 2:
        guard let value = fields.readBytes() else { return false }
        method = value
      case Field.metadata << 3 | 2:
        guard let value = fields.readBytes(), MetadataView.pair(in: value) != nil else {
          return false
        }
        noteMetadata(from: start, to: fields.offset, in: bytes)
      default:
        guard fields.skip(tag) else { return false }
      }
    }
    return true
  }

  private mutating func noteMetadata(
    from start: Int, to end: Int, in bytes: UnsafeRawBufferPointer
  ) {
    metadataBytes += end - start
    let base = bytes.baseAddress.unsafelyUnwrapped
    let first = metadataFields.baseAddress ?? base + start
    metadataFields = UnsafeRawBufferPointer(start: first, count: base + end - first)
  }
}

/// Walks the fields of an encoded message. Every read is checked against the end.
struct ProtobufFields {
  private let base: UnsafeRawPointer?
  private let end: Int
  private(set) var offset: Int

  @inline(__always)
  init(_ bytes: UnsafeRawBufferPointer, from offset: Int = 0) {
    base = bytes.baseAddress
    end = bytes.count
    self.offset = offset
  }

  @inline(__always)
  var isAtEnd: Bool { offset >= end }

  /// `nil`: it does not end, or takes more than ten bytes.
  @inline(__always)
  mutating func readVarint() -> UInt64? {
    guard offset < end, let base else { return nil }
    let first = base.load(fromByteOffset: offset, as: UInt8.self)
    if first < 0x80 {
      offset &+= 1
      return UInt64(first)
    }
    return readLongVarint(base)
  }

  private mutating func readLongVarint(_ base: UnsafeRawPointer) -> UInt64? {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while offset < end && shift < 70 {
      let byte = base.load(fromByteOffset: offset, as: UInt8.self)
      offset &+= 1
      value |= UInt64(byte & 0x7f) &<< shift
      if byte < 0x80 { return value }
      shift &+= 7
    }
    return nil
  }

  /// A length and so many bytes. `nil`: they are not there.
  @inline(__always)
  mutating func readBytes() -> UnsafeRawBufferPointer? {
    guard let count = readVarint(), count <= UInt64(end &- offset), let base else { return nil }
    let bytes = UnsafeRawBufferPointer(start: base + offset, count: Int(count))
    offset &+= Int(count)
    return bytes
  }

  /// Goes over the value of a field. `false`: it is not there, it is a group, or its number is 0.
  mutating func skip(_ tag: UInt64) -> Bool {
    guard tag >> 3 != 0, tag >> 3 < 1 << 29 else { return false }
    switch tag & 7 {
    case 0: return readVarint() != nil
    case 1: return skip(bytes: 8)
    case 2: return readBytes() != nil
    case 5: return skip(bytes: 4)
    default: return false
    }
  }

  private mutating func skip(bytes: Int) -> Bool {
    guard end - offset >= bytes else { return false }
    offset += bytes
    return true
  }
}
