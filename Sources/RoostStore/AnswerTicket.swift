/// What makes a write known again when it is repeated: an idempotency key, whose it is, and what
/// was asked. Borrowed, as all of a command is.
///
/// A write with a ticket is executed once within `windowMillis`; a repetition gets the first answer
/// and changes nothing. Only answers of writes that changed something are kept.
@frozen public struct AnswerTicket {
  /// The longest key, in bytes.
  public static let maxKeyBytes = 64
  /// The longest owner's name, in bytes.
  public static let maxOwnerBytes = 255
  /// How long an answer is kept where there is room, in milliseconds.
  public static let windowMillis: Int64 = 600_000

  /// Who uses the key: keys of different owners have nothing to do with each other. At most
  /// `maxOwnerBytes`; empty: everybody.
  public var owner = UnsafeRawBufferPointer(start: nil, count: 0)
  /// 1 to `maxKeyBytes` bytes.
  public var key: UnsafeRawBufferPointer
  /// Of the request: the same key with another one fails with `idempotencyKeyReused`.
  public var fingerprint = AnswerFingerprint()

  /// A ticket of everybody's, for a request without a fingerprint.
  @inlinable public init(key: UnsafeRawBufferPointer) { self.key = key }
}

/// A digest of a request.
@frozen public struct AnswerFingerprint: Hashable, Sendable {
  /// Its first 8 bytes, as they are in memory.
  public var low: UInt64 = 0
  /// Its last 8 bytes, as they are in memory.
  public var high: UInt64 = 0

  /// All zero.
  @inlinable public init() {}

  /// The first 16 of some bytes; fewer are filled with zeros.
  @inlinable public init(_ bytes: some Sequence<UInt8>) {
    withUnsafeMutableBytes(of: &self) { target in
      for (index, byte) in bytes.prefix(target.count).enumerated() { target[index] = byte }
    }
  }
}
