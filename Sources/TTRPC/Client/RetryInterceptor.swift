/// Repeats a call that failed with `unavailable`, where that is safe: when it was not executed
/// (the server said so, or it was never sent), or when the method may be executed twice. Nothing
/// else is repeated, nothing after the call's deadline, and nothing once the client is closed.
public struct RetryInterceptor: ClientInterceptor {
  /// How often, and after which pauses.
  public struct Policy: Sendable, Hashable {
    /// The first one included; 1 repeats nothing.
    public var maxAttempts: Int
    /// Before the second attempt; it doubles with each. A longer one that the server names in
    /// its answer (`google.rpc.RetryInfo`) goes before.
    public var initialPause: Duration
    /// No pause is longer, whatever the server names.
    public var maxPause: Duration

    /// Three attempts, with pauses of up to 50 and 100 ms.
    public init(
      maxAttempts: Int = 3, initialPause: Duration = .milliseconds(50),
      maxPause: Duration = .seconds(2)
    ) {
      self.maxAttempts = maxAttempts
      self.initialPause = initialPause
      self.maxPause = maxPause
    }
  }

  private let policy: Policy
  private let mayRunTwice: @Sendable (MethodDescriptor) -> Bool

  /// - Parameter mayRunTwice: whether executing a call of the method a second time does no harm:
  ///   reads, as a rule.
  public init(
    policy: Policy = Policy(), mayRunTwice: @escaping @Sendable (MethodDescriptor) -> Bool
  ) {
    self.policy = policy
    self.mayRunTwice = mayRunTwice
  }

  /// Passes the call on, up to `maxAttempts` times.
  /// - Throws: the last attempt's error; `cancelled` where the task was during a pause.
  public func unary(
    _ call: ClientCall, _ request: [UInt8], next: Unary
  ) async throws(RPCError) -> [UInt8] {
    var attempt = 1
    while true {
      do {
        return try await next(call, request)
      } catch {
        guard attempt < policy.maxAttempts, isSafe(error, call.method) else { throw error }
        let pause = pause(after: attempt, error)
        if let deadline = call.deadline, .now + pause >= deadline { throw error }
        do { try await Task.sleep(for: pause) } catch {
          throw RPCError(.cancelled, "the call was cancelled between two attempts")
        }
        attempt += 1
      }
    }
  }

  private func isSafe(_ error: RPCError, _ method: MethodDescriptor) -> Bool {
    error.code == .unavailable && !error.isClientClosed
      && (!error.isOutcomeUnknown || mayRunTwice(method))
  }

  private func pause(after attempt: Int, _ error: RPCError) -> Duration {
    let doubled = policy.initialPause * (1 << min(attempt - 1, 20))
    // Up to half of it is left out, so that many clients do not come back in step.
    let own = doubled * Double.random(in: 0.5...1)
    return min(max(own, error.retryDelay ?? .zero), policy.maxPause)
  }
}

extension RPCError {
  /// How long the server asks to wait before another attempt, from a `google.rpc.RetryInfo` in the
  /// details (googleapis, `google/rpc/error_details.proto`); `nil`: it names nothing.
  public var retryDelay: Duration? {
    guard let info = details.first(where: { $0.typeURL.hasSuffix("/google.rpc.RetryInfo") }),
      let delay = VarintFields.message(1, in: info.value[...])
    else { return nil }
    let seconds = VarintFields.integer(1, in: delay) ?? 0
    let nanos = VarintFields.integer(2, in: delay) ?? 0
    guard (0...3_153_600_000).contains(seconds), (0..<1_000_000_000).contains(nanos) else {
      return nil
    }
    return .seconds(seconds) + .nanoseconds(nanos)
  }
}

/// Finds one field in a small message of varints and messages; anything else ends the search.
private enum VarintFields {
  static func message(_ number: UInt64, in bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    guard case .message(let message)? = field(number, in: bytes) else { return nil }
    return message
  }

  static func integer(_ number: UInt64, in bytes: ArraySlice<UInt8>) -> Int64? {
    guard case .integer(let value)? = field(number, in: bytes) else { return nil }
    return Int64(bitPattern: value)
  }

  private enum Field {
    case integer(UInt64)
    case message(ArraySlice<UInt8>)
  }

  private static func field(_ number: UInt64, in bytes: ArraySlice<UInt8>) -> Field? {
    var rest = bytes
    while let tag = varint(&rest) {
      let field: Field
      switch tag & 7 {
      case 0:
        guard let value = varint(&rest) else { return nil }
        field = .integer(value)
      case 2:
        guard let count = varint(&rest), count <= rest.count else { return nil }
        field = .message(rest.prefix(Int(count)))
        rest = rest.dropFirst(Int(count))
      default: return nil
      }
      if tag >> 3 == number { return field }
    }
    return nil
  }

  private static func varint(_ bytes: inout ArraySlice<UInt8>) -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 64, by: 7) {
      guard let byte = bytes.popFirst() else { return nil }
      value |= UInt64(byte & 0x7f) << shift
      if byte & 0x80 == 0 { return value }
    }
    return nil
  }
}
