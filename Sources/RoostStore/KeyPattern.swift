/// A compiled pattern over keys. Safe to use from any thread.
///
/// Both kinds take time linear in the key, whatever the pattern.
public final class KeyPattern: Sendable {
  /// How a pattern is written.
  public enum Kind: UInt8, Sendable, Hashable {
    /// `* ? [a-z] [^a] \x` over the whole key, byte by byte.
    case glob
    /// RE2's syntax, anywhere in the key. A character is a code point where pattern and key are
    /// UTF-8, else a byte.
    case regex
  }

  /// The longest pattern, in bytes.
  public static let maxPatternBytes = 256

  /// How it is written.
  public let kind: Kind
  /// Every key that matches begins with these bytes: a scan can begin and end there.
  public let literalPrefix: [UInt8]
  /// Whether the kind and the bytes of `literalPrefix` say it all, as in the glob `user:*`: then
  /// each key that begins with the prefix matches, and only those.
  public let isPrefixOnly: Bool

  private let glob: GlobPattern?
  private let regex: RegexPattern?

  /// Compiles 1 to `maxPatternBytes` bytes. Throws `StoreError.invalidPattern`, which names the
  /// reason and, where it is known, the byte; also for a pattern that would take too much memory.
  public init(_ kind: Kind, _ pattern: UnsafeRawBufferPointer) throws(StoreError) {
    if pattern.isEmpty { throw .invalidPattern("the pattern is empty") }
    guard pattern.count <= Self.maxPatternBytes else {
      throw .invalidPattern(
        "the pattern has \(pattern.count) bytes, the limit is \(Self.maxPatternBytes)")
    }
    self.kind = kind
    switch kind {
    case .glob:
      let compiled = try GlobPattern(pattern)
      literalPrefix = compiled.literalPrefix
      isPrefixOnly = compiled.isPrefixOnly
      glob = compiled
      regex = nil
    case .regex:
      let compiled = try RegexPattern(pattern)
      literalPrefix = compiled.literalPrefix
      isPrefixOnly = false
      glob = nil
      regex = consume compiled
    }
  }

  /// Whether the pattern takes this key: the whole of it for a glob, any part for a regex.
  public func matches(_ key: UnsafeRawBufferPointer) -> Bool {
    if let glob { return glob.matches(key) }
    return regex!.matches(key)
  }
}
