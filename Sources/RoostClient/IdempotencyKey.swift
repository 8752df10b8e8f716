extension RoostClient {
  /// Makes a write safe to repeat: within 10 minutes the server executes it once for each key and
  /// token, and answers a repetition as it did the first time.
  ///
  /// Use a new key for each thing that is to happen, and the same one for each try. The request
  /// must be the same too, or the call throws `invalidArgument`. What changed nothing is not kept.
  public struct IdempotencyKey: Sendable, Hashable, ExpressibleByStringLiteral {
    let bytes: [UInt8]

    /// - Parameter bytes: 1 to 64; the server refuses more.
    public init(bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }

    /// - Parameter text: 1 to 64 bytes of UTF-8; the server refuses more.
    public init(_ text: some StringProtocol) { bytes = Array(text.utf8) }

    /// 1 to 64 bytes of UTF-8; the server refuses more.
    public init(stringLiteral text: String) { self.init(text) }

    /// One that nobody else has: 16 random bytes.
    public static func random() -> IdempotencyKey {
      IdempotencyKey(bytes: (0..<16).map { _ in UInt8.random(in: 0...255) })
    }
  }
}
