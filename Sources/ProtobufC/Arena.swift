import CProtobufC

/// A bump allocator with a budget for each call, which libprotobuf-c decodes into. Confined to
/// one thread.
///
/// 1. What it hands out stays valid until `reset()`, and nothing is freed on its own.
/// 2. Between two `beginCall()` it hands out at most `budgetBytes`, its own headers included.
/// 3. It remembers the size of each allocation: that is how a decoded `string` has its true
///    length, NUL bytes kept.
/// 4. After `reset()` it holds at most one block, of at most the retained bytes.
public final class Arena {
  /// What one call may take. A 4 MiB frame of ordinary messages takes less; one of nothing but
  /// empty messages or unknown fields would take some 200 MiB, and fails.
  public static let defaultBudgetBytes = 16 << 20

  /// Enough for whatever a frame of 4 MiB can hold: for bytes from a peer that is trusted.
  public static let trustedBudgetBytes = 512 << 20

  @usableFromInline let state: UnsafeMutablePointer<ProtobufCArena>

  /// - Parameters:
  ///   - blockBytes: allocated at once and kept; at least 64.
  ///   - retainedBytes: what a reset may keep for the next tick, where the last one needed it.
  ///   - budgetBytes: what one call may take.
  public init(
    blockBytes: Int = 256 << 10, retainedBytes: Int = 1 << 20,
    budgetBytes: Int = Arena.defaultBudgetBytes
  ) {
    precondition(blockBytes >= 64 && budgetBytes >= 0)
    guard let state = protobuf_c_arena_new(blockBytes, retainedBytes, budgetBytes) else {
      fatalError("out of memory: \(blockBytes) bytes for an arena")
    }
    self.state = state
  }

  deinit { protobuf_c_arena_delete(state) }

  /// For libprotobuf-c; its `free` does nothing. Valid as long as the arena.
  @inlinable public var allocator: UnsafeMutablePointer<ProtobufCAllocator> {
    protobuf_c_arena_allocator(state)
  }

  /// What one call may take, in bytes.
  @inlinable public var budgetBytes: Int { state.pointee.budget }

  /// Bytes handed out since the last reset, by all calls, headers included.
  @inlinable public var usedBytes: Int { protobuf_c_arena_position(state) }

  /// The size of the block that stays from reset to reset.
  public var retainedBlockBytes: Int { state.pointee.firstBytes }

  /// Whether the current call was refused memory: its budget is used up, or the process has none.
  @inlinable public var exceededBudget: Bool { state.pointee.exceeded }

  /// The next call begins, with the whole budget; what came before stays valid.
  @inlinable public func beginCall() { protobuf_c_arena_begin_call(state) }

  /// Ends the tick: all that was handed out becomes invalid. O(1) where one block was enough;
  /// memory over the retained bytes goes back to the system.
  @inlinable public func reset() { protobuf_c_arena_reset(state) }

  /// `bytes` bytes, uninitialised and 8-aligned; `nil` where the budget does not hold them.
  @inlinable public func allocate(_ bytes: Int) -> UnsafeMutableRawPointer? {
    protobuf_c_arena_allocate(state, bytes)
  }
}

// Building messages: copies into the arena, in libprotobuf-c's shapes.
extension Arena {
  /// Uninitialised memory for `count` values.
  /// - Throws: `overBudget`.
  @inlinable public func allocate<T>(
    _ type: T.Type, count: Int
  ) throws(DecodeError) -> UnsafeMutablePointer<T> {
    let (bytes, overflow) = MemoryLayout<T>.stride.multipliedReportingOverflow(by: count)
    guard !overflow, let raw = allocate(bytes) else { throw .overBudget(bytes: budgetBytes) }
    return raw.bindMemory(to: T.self, capacity: count)
  }

  /// A message's structure, initialised by the generated `initialize`.
  /// - Throws: `overBudget`.
  @inlinable public func make<CMessage>(
    _ initialize: (UnsafeMutablePointer<CMessage>) -> Void
  ) throws(DecodeError) -> UnsafeMutablePointer<CMessage> {
    let message = try allocate(CMessage.self, count: 1)
    initialize(message)
    return message
  }

  /// A copy of `bytes`.
  /// - Throws: `overBudget`.
  @inlinable public func copy(_ bytes: [UInt8]) throws(DecodeError) -> ProtobufCBinaryData {
    guard !bytes.isEmpty else { return ProtobufCBinaryData(len: 0, data: nil) }
    let data = try allocate(UInt8.self, count: bytes.count)
    bytes.withUnsafeBufferPointer { data.initialize(from: $0.baseAddress!, count: $0.count) }
    return ProtobufCBinaryData(len: bytes.count, data: data)
  }

  /// A copy of `string` with a NUL byte behind it. Views read it whole; libprotobuf-c encodes it
  /// up to its first NUL byte, for which see `MessageStrings`.
  /// - Throws: `overBudget`.
  @inlinable public func copy(
    _ string: String
  ) throws(DecodeError) -> UnsafeMutablePointer<CChar> {
    var string = string
    let count = string.utf8.count
    let data = try allocate(CChar.self, count: count + 1)
    string.withUTF8 { utf8 in
      utf8.withMemoryRebound(to: CChar.self) {
        if let base = $0.baseAddress { data.initialize(from: base, count: $0.count) }
      }
    }
    data[count] = 0
    return data
  }
}
