import RoostAPI

/// A verified token, and what lets the next call that brings it be trusted without hashing.
///
/// 1. `reference` is `principal`, which is held here.
/// 2. A credential counts at a time before `trustedUntilNanos` and under the generation of tokens
///    that it was checked against; otherwise it has to be checked again.
/// 3. `trustedUntilNanos` is at most the token's end, and at most `recheckNanos` away, so that the
///    token's last use is noted now and then.
struct Credential {
  /// How long a credential is trusted before its use is noted again.
  static let recheckNanos: UInt64 = 10_000_000_000

  private(set) var reference: Unmanaged<AnyObject>?
  private var principal: Principal?
  private var generation: UInt64 = 0
  private var trustedUntilNanos: UInt64 = 0
  private var text = TokenWords()

  /// Nobody.
  init() {}

  /// The holder of a token that was just verified against `table`.
  init(
    _ principal: Principal, token: UnsafeRawBufferPointer, table: TokenTable, time: AuthTime
  ) {
    text = TokenWords(token)
    trust(principal, table, time)
  }

  /// Whether this is somebody.
  var isPresent: Bool { principal != nil }

  /// Who it is, without asking whether that still counts.
  var holder: Principal? { principal }

  /// Whether this credential counts without another look at the tokens.
  @inline(__always)
  func isTrusted(_ generation: UInt64, atNanos nanos: UInt64) -> Bool {
    generation == self.generation && nanos < trustedUntilNanos
  }

  /// Whether `token` is the one that was verified. Takes the same time for every token of its
  /// length.
  @inline(__always)
  func matches(_ token: UnsafeRawBufferPointer) -> Bool {
    token.count == TokenFormat.byteCount && text.isEqual(to: token) && reference != nil
  }

  /// Looks at the tokens in force again; without hashing, since a token keeps its secret as long as
  /// it keeps its digest.
  /// - Throws: why the token does not count any more; then this credential is nobody.
  mutating func recheck(_ table: TokenTable, _ time: AuthTime) throws(TokenRefusal) {
    guard let old = principal else { throw .noToken }
    guard let current = table.successor(of: old) else {
      self = Credential()
      throw .unknownID
    }
    guard !current.isExpired(atMillis: time.wallMillis) else {
      self = Credential()
      throw .expired
    }
    trust(current, table, time)
  }

  private mutating func trust(_ principal: Principal, _ table: TokenTable, _ time: AuthTime) {
    self.principal = principal
    reference = Unmanaged.passUnretained(principal)
    generation = table.generation
    trustedUntilNanos = min(
      time.nanos(ofMillis: principal.expiresAtMillis), time.nanos &+ Self.recheckNanos)
    principal.usage.mark(time.wallMillis)
  }
}

/// One moment on both clocks.
struct AuthTime {
  /// Of the loop's monotonic clock, as its tick began.
  var nanos: UInt64
  /// Unix time, milliseconds.
  var wallMillis: Int64

  /// When the monotonic clock will show what the wall clock calls `millis`, where 0 is never. A
  /// time that has passed is now.
  func nanos(ofMillis millis: Int64) -> UInt64 {
    if millis == 0 { return .max }
    if millis <= wallMillis { return nanos }
    let left = UInt64(bitPattern: millis &- wallMillis)
    let (span, isFar) = left.multipliedReportingOverflow(by: 1_000_000)
    let (sum, isFarther) = nanos.addingReportingOverflow(span)
    return isFar || isFarther ? .max : sum
  }
}

/// The text of one token, in place.
private struct TokenWords {
  private typealias Words = (
    UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64
  )
  private var words: Words = (0, 0, 0, 0, 0, 0, 0, 0)

  init() {}

  /// - Parameter token: exactly as long as a token.
  init(_ token: UnsafeRawBufferPointer) {
    precondition(token.count == MemoryLayout<Words>.size)
    words = token.loadUnaligned(as: Words.self)
  }

  /// - Parameter token: exactly as long as a token.
  @inline(__always)
  func isEqual(to token: UnsafeRawBufferPointer) -> Bool {
    let other = token.loadUnaligned(as: Words.self)
    let low =
      (words.0 ^ other.0) | (words.1 ^ other.1) | (words.2 ^ other.2) | (words.3 ^ other.3)
    let high =
      (words.4 ^ other.4) | (words.5 ^ other.5) | (words.6 ^ other.6) | (words.7 ^ other.7)
    return low | high == 0
  }
}
