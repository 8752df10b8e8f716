/// What kind of value a key holds. Raw values are the field numbers of `roost.v1.Value`.
@frozen public enum ValueKind: UInt8, Sendable, Hashable {
  case bytes = 1
  case text = 2
  case int = 3
  case double = 4
  case bool = 5
  case list = 6
}

/// A length and a base address, in this order: the layout of libprotobuf-c's
/// `ProtobufCBinaryData`, so that lists pass between messages and the store without a copy.
@frozen public struct ByteSlice {
  /// In bytes.
  public var count: Int
  /// `nil` only where `count` is 0.
  public var base: UnsafePointer<UInt8>?

  /// Borrows the bytes.
  @inlinable public init(_ bytes: UnsafeRawBufferPointer) {
    count = bytes.count
    base = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
  }

  /// The same bytes.
  @inlinable public var bytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: base, count: count)
  }
}

/// A borrowed value: in a command it points into the request, in a result into the
/// `ReplyArena`. Valid as long as what it points into.
@frozen public enum ValueRef {
  case bytes(UnsafeRawBufferPointer)
  /// Valid UTF-8: the caller has checked it.
  case text(UnsafeRawBufferPointer)
  case int(Int64)
  case double(Double)
  case bool(Bool)
  /// Front first.
  case list(UnsafeBufferPointer<ByteSlice>)

  /// What kind of value it is.
  @inlinable public var kind: ValueKind {
    switch self {
    case .bytes: .bytes
    case .text: .text
    case .int: .int
    case .double: .double
    case .bool: .bool
    case .list: .list
    }
  }
}

extension ValueRef {
  /// What the value's bytes or items take together.
  @inlinable var byteCount: Int {
    switch self {
    case .bytes(let bytes), .text(let bytes): bytes.count
    case .int, .double, .bool: 8
    case .list(let items): items.reduce(0) { $0 &+ $1.count &+ 4 }
    }
  }
}

/// One key's state, borrowed from a `ReplyArena`.
@frozen public struct EntryRef {
  /// Empty where the caller named the key.
  public var key = UnsafeRawBufferPointer(start: nil, count: 0)
  /// `nil` where only keys were asked for, and where `valueOmitted`.
  public var value: ValueRef?
  /// The value did not fit the reply's budget.
  public var valueOmitted = false
  /// Of the change that wrote this state.
  public var revision: Int64 = 0
  /// Of the change that created the key.
  public var createRevision: Int64 = 0
  /// Changes since creation; the first is 1.
  public var version: Int64 = 0
  /// Unix time, milliseconds.
  public var createdAtMillis: Int64 = 0
  /// Unix time, milliseconds. It may lag by a few.
  public var updatedAtMillis: Int64 = 0
  /// Unix time, milliseconds; 0: never.
  public var expiresAtMillis: Int64 = 0

  /// All empty.
  @inlinable public init() {}
}
