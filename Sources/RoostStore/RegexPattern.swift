import CRE2

/// A compiled regular expression in RE2's syntax: linear time, unanchored. `.` leaves out the
/// newline unless the pattern says `(?s)`.
///
/// Keys are bytes, patterns are mostly typed as text. So where both are UTF-8 a character is a
/// code point (`^.$` matches `é`); where either is not, a character is a byte (`^\xff` finds the
/// keys that begin with that byte).
struct RegexPattern: ~Copyable, Sendable {
  /// Of one program with its caches; a pattern has two at most.
  static let maxMemoryBytes: Int64 = 1 << 20
  /// At one nanosecond for an instruction and byte in the worst case.
  static let maxProgramSize: Int32 = 2_000

  /// Every key that matches begins with these bytes.
  let literalPrefix: [UInt8]

  // Immutable behind this pointer, apart from caches that RE2 locks by itself.
  private nonisolated(unsafe) let regex: OpaquePointer

  init(_ pattern: UnsafeRawBufferPointer) throws(StoreError) {
    var error = cre2_error()
    let limits = cre2_limits(
      memory_bytes: Self.maxMemoryBytes, program_size: Self.maxProgramSize)
    let bytes = pattern.assumingMemoryBound(to: UInt8.self)
    guard
      let regex = cre2_compile(
        bytes.baseAddress, bytes.count, Self.isUTF8(pattern), limits, &error)
    else { throw Self.storeError(error, pattern) }
    self.regex = regex
    literalPrefix = RegexOutline(pattern).literalPrefix
  }

  deinit { cre2_free(regex) }

  func matches(_ key: UnsafeRawBufferPointer) -> Bool {
    guard key.starts(with: literalPrefix) else { return false }
    let bytes = key.assumingMemoryBound(to: UInt8.self)
    return cre2_matches(regex, bytes.baseAddress, bytes.count, Self.isUTF8(key))
  }

  private static func isUTF8(_ bytes: UnsafeRawBufferPointer) -> Bool {
    (try? UTF8Span(validating: bytes.assumingMemoryBound(to: UInt8.self).span)) != nil
  }

  private static func storeError(
    _ error: cre2_error, _ pattern: UnsafeRawBufferPointer
  ) -> StoreError {
    let reason = withUnsafeBytes(of: error.reason) { bytes in
      String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    let fragment = withUnsafeBytes(of: error.fragment) { Array($0.prefix(error.fragment_count)) }
    guard let offset = RegexOutline(pattern).errorOffset(reason: reason, fragment: fragment)
    else { return .invalidPattern("bad regex: \(reason)") }
    return .invalidPattern("bad regex near byte \(offset): \(reason)")
  }
}
