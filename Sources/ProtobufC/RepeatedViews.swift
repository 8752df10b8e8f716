import CProtobufC

extension ProtobufCBinaryData {
  /// The bytes, borrowed from the message.
  @inlinable public var bytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: data, count: len)
  }
}

/// The messages of a repeated field, borrowed.
public struct RepeatedMessages<Element: MessageView>: RandomAccessCollection {
  @usableFromInline let start: UnsafePointer<UnsafeMutablePointer<Element.CMessage>?>?
  /// How many there are.
  public let count: Int

  /// Borrows a C array.
  @inlinable public init(
    start: UnsafeMutablePointer<UnsafeMutablePointer<Element.CMessage>?>?, count: Int
  ) {
    self.start = UnsafePointer(start)
    self.count = count
  }

  /// Always 0.
  @inlinable public var startIndex: Int { 0 }
  /// The count.
  @inlinable public var endIndex: Int { count }
  /// The view of one message.
  @inlinable public subscript(position: Int) -> Element {
    precondition(position >= 0 && position < count)
    return Element(unsafe: UnsafePointer(start![position]!))
  }
}

/// The strings of a repeated field, borrowed, without the NUL byte behind each.
public struct RepeatedStrings: RandomAccessCollection {
  @usableFromInline let start: UnsafePointer<UnsafeMutablePointer<CChar>?>?
  /// How many there are.
  public let count: Int

  /// Borrows a C array.
  @inlinable public init(
    start: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, count: Int
  ) {
    self.start = UnsafePointer(start)
    self.count = count
  }

  /// Always 0.
  @inlinable public var startIndex: Int { 0 }
  /// The count.
  @inlinable public var endIndex: Int { count }
  /// One string's UTF-8.
  @inlinable public subscript(position: Int) -> UnsafeRawBufferPointer {
    precondition(position >= 0 && position < count)
    return MessageStrings.bytes(of: start![position])
  }
}

/// The truth values of a repeated field, borrowed.
public struct RepeatedBools: RandomAccessCollection {
  @usableFromInline let start: UnsafePointer<protobuf_c_boolean>?
  /// How many there are.
  public let count: Int

  /// Borrows a C array.
  @inlinable public init(start: UnsafeMutablePointer<protobuf_c_boolean>?, count: Int) {
    self.start = UnsafePointer(start)
    self.count = count
  }

  /// Always 0.
  @inlinable public var startIndex: Int { 0 }
  /// The count.
  @inlinable public var endIndex: Int { count }
  /// One value.
  @inlinable public subscript(position: Int) -> Bool {
    precondition(position >= 0 && position < count)
    return start![position] != 0
  }
}

/// An enum's values of a repeated field, borrowed.
public struct RepeatedEnums<Element: OpenEnum>: RandomAccessCollection {
  @usableFromInline let start: UnsafePointer<Int32>?
  /// How many there are.
  public let count: Int

  /// Borrows a C array; protoc-c makes each of its enums as wide as an `int`.
  @inlinable public init<CEnum>(start: UnsafeMutablePointer<CEnum>?, count: Int) {
    precondition(MemoryLayout<CEnum>.stride == MemoryLayout<Int32>.stride)
    self.start = UnsafeRawPointer(start)?.assumingMemoryBound(to: Int32.self)
    self.count = count
  }

  /// Always 0.
  @inlinable public var startIndex: Int { 0 }
  /// The count.
  @inlinable public var endIndex: Int { count }
  /// One value.
  @inlinable public subscript(position: Int) -> Element {
    precondition(position >= 0 && position < count)
    return Element(rawValue: start![position])
  }
}
