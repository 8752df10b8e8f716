import CProtobufC

extension MessageView {
  /// Decodes into the arena, on the account of its current call.
  ///
  /// The bytes are copied: they need to live no longer than this call. Unknown fields are kept
  /// aside and ignored.
  /// - Throws: `malformed`, `invalidUTF8`, `overBudget`.
  @inlinable public static func decode(
    _ bytes: UnsafeRawBufferPointer, in arena: Arena
  ) throws(DecodeError) -> Self {
    let data = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
    guard
      let message = protobuf_c_message_unpack(descriptor, arena.allocator, bytes.count, data)
    else {
      throw arena.exceededBudget ? .overBudget(bytes: arena.budgetBytes) : .malformed
    }
    if containsStrings && !MessageStrings.areValid(in: message) { throw .invalidUTF8 }
    return Self(unsafe: UnsafeRawPointer(message).assumingMemoryBound(to: CMessage.self))
  }

  /// How many bytes the message takes when it is encoded.
  @inlinable public var encodedByteCount: Int {
    protobuf_c_message_get_packed_size(asMessage)
  }

  /// The message as libprotobuf-c's functions take it.
  @inlinable public var asMessage: UnsafePointer<ProtobufCMessage> {
    UnsafeRawPointer(unsafeMessage).assumingMemoryBound(to: ProtobufCMessage.self)
  }

  /// The encoded message.
  @inlinable public func encoded() -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: encodedByteCount) { buffer, count in
      guard let base = buffer.baseAddress else { return }
      count = protobuf_c_message_pack(asMessage, base)
    }
  }
}

extension Message {
  /// Decodes in the arena, on the account of its current call.
  /// - Throws: `malformed`, `invalidUTF8`, `overBudget`.
  public init(decoding bytes: UnsafeRawBufferPointer, in arena: Arena) throws(DecodeError) {
    self.init(try View.decode(bytes, in: arena))
  }

  /// Decodes in an arena of its own, with `budgetBytes` to take.
  /// - Throws: `malformed`, `invalidUTF8`, `overBudget`.
  public init(
    decoding bytes: UnsafeRawBufferPointer, budgetBytes: Int = Arena.defaultBudgetBytes
  ) throws(DecodeError) {
    try self.init(decoding: bytes, in: Arena(scratchFor: bytes.count, budgetBytes: budgetBytes))
  }

  /// Decodes in an arena of its own, with `budgetBytes` to take.
  /// - Throws: `malformed`, `invalidUTF8`, `overBudget`.
  public init(
    decoding bytes: [UInt8], budgetBytes: Int = Arena.defaultBudgetBytes
  ) throws(DecodeError) {
    let result = bytes.withUnsafeBytes { buffer in
      Result { () throws(DecodeError) in try Self(decoding: buffer, budgetBytes: budgetBytes) }
    }
    self = try result.get()
  }

  /// Encodes by way of the arena, on the account of its current call.
  /// - Throws: `overBudget`.
  public func encoded(in arena: Arena) throws(DecodeError) -> [UInt8] {
    View(unsafe: try makeCMessage(in: arena)).encoded()
  }

  /// Encodes by way of an arena of its own, without a budget.
  /// - Throws: `overBudget` where the process has no memory.
  public func encoded() throws(DecodeError) -> [UInt8] {
    try encoded(in: Arena(scratchFor: 0, budgetBytes: .max))
  }
}

extension Arena {
  /// For one message: its first block is small, so that it costs no page faults.
  fileprivate convenience init(scratchFor encodedBytes: Int, budgetBytes: Int) {
    let blockBytes = min(max(2048, encodedBytes * 2), 64 << 10)
    self.init(blockBytes: blockBytes, retainedBytes: 0, budgetBytes: budgetBytes)
  }
}
