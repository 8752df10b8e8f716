/// A call's metadata, borrowed from its frame. Keys and values are bytes that a peer chose: not
/// always UTF-8.
public struct MetadataView: Sequence {
  /// A key with its value, borrowed.
  public typealias Element = (key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)

  /// Fields of `ttrpc.Request`, checked before.
  private let fields: UnsafeRawBufferPointer

  @inline(__always)
  init(unsafe fields: UnsafeRawBufferPointer) { self.fields = fields }

  /// Whether there is none.
  public var isEmpty: Bool { fields.isEmpty }

  /// Walks the pairs in the order in which they were sent.
  public struct Iterator: IteratorProtocol {
    private var fields: ProtobufFields

    init(_ fields: UnsafeRawBufferPointer) { self.fields = ProtobufFields(fields) }

    /// The next pair.
    public mutating func next() -> Element? {
      while !fields.isAtEnd {
        guard let tag = fields.readVarint() else { return nil }
        if tag == RequestEnvelope.Field.metadata << 3 | 2 {
          return fields.readBytes().flatMap { MetadataView.pair(in: $0) }
        }
        guard fields.skip(tag) else { return nil }
      }
      return nil
    }
  }

  /// From the first pair on.
  public func makeIterator() -> Iterator { Iterator(fields) }

  /// The first value of `key`, `nil` where there is none.
  public func first(_ key: StaticString) -> UnsafeRawBufferPointer? {
    let wanted = UnsafeRawBufferPointer(start: key.utf8Start, count: key.utf8CodeUnitCount)
    var iterator = makeIterator()
    while let pair = iterator.next() {
      if pair.key.isSame(as: wanted) { return pair.value }
    }
    return nil
  }

  /// Reads a `ttrpc.KeyValue`. `nil`: it is none.
  static func pair(in bytes: UnsafeRawBufferPointer) -> Element? {
    var pair = (
      key: UnsafeRawBufferPointer(start: nil, count: 0),
      value: UnsafeRawBufferPointer(start: nil, count: 0)
    )
    var fields = ProtobufFields(bytes)
    while !fields.isAtEnd {
      guard let tag = fields.readVarint() else { return nil }
      switch tag {
      case 1 << 3 | 2:
        guard let key = fields.readBytes() else { return nil }
        pair.key = key
      case 2 << 3 | 2:
        guard let value = fields.readBytes() else { return nil }
        pair.value = value
      default:
        guard fields.skip(tag) else { return nil }
      }
    }
    return pair
  }
}

extension Metadata {
  /// A copy; bytes that are not UTF-8 are repaired.
  public init(_ view: MetadataView) {
    self.init()
    for (key, value) in view {
      append(String(decoding: value, as: UTF8.self), for: String(decoding: key, as: UTF8.self))
    }
  }
}
