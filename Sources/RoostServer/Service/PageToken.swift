import RoostStore

/// Where a scan goes on. Opaque to callers: one version byte, a checksum, the last examined key.
///
/// 1. The checksum covers range, pattern, direction and position, so a token fits one scan only,
///    and a damaged one none. It is no secret: the range comes with every request, the engine
///    stays inside of it, and so a forged token reaches nothing that its scan does not.
/// 2. It holds nothing of this process: a token survives a restart.
struct PageToken: Sendable {
  static let version: UInt8 = 1
  static let digestBytes = 16
  static let headerBytes = 1 + digestBytes

  /// Of range, pattern and direction; each token adds its position.
  private let scan: SHA256.Digest

  /// The tokens of one scan.
  init(
    range: KeyRangeRef, matchKind: UInt8, pattern: UnsafeRawBufferPointer, reverse: Bool
  ) {
    var hash = SHA256()
    let head: [3 of UInt8] = [Self.version, matchKind, reverse ? 1 : 0]
    withUnsafeBytes(of: head) { hash.update($0) }
    for part in [range.prefix, range.start, range.end, pattern] {
      withUnsafeBytes(of: UInt32(part.count).littleEndian) { hash.update($0) }
      hash.update(part)
    }
    scan = hash.finish()
  }

  /// The token that goes on after `position`, in `reply`.
  func token(
    after position: UnsafeRawBufferPointer, in reply: ReplyArena
  ) -> UnsafeRawBufferPointer {
    let count = Self.headerBytes + position.count
    let token = UnsafeMutableRawBufferPointer(start: reply.allocate(count), count: count)
    token[0] = Self.version
    digest(position).span.withUnsafeBytes { digest in
      for index in 0..<Self.digestBytes { token[1 + index] = digest[index] }
    }
    UnsafeMutableRawBufferPointer(rebasing: token[Self.headerBytes...]).copyMemory(from: position)
    return UnsafeRawBufferPointer(token)
  }

  /// The position that `token` holds; it points into the token.
  /// - Throws: `pageTokenUnreadable`, `pageTokenOfAnotherScan`.
  func position(
    of token: UnsafeRawBufferPointer
  ) throws(RequestError) -> UnsafeRawBufferPointer {
    guard token.count > Self.headerBytes, token[0] == Self.version else {
      throw .pageTokenUnreadable
    }
    let position = UnsafeRawBufferPointer(rebasing: token[Self.headerBytes...])
    let isOurs = digest(position).span.withUnsafeBytes { digest in
      (0..<Self.digestBytes).allSatisfy { digest[$0] == token[1 + $0] }
    }
    if !isOurs { throw .pageTokenOfAnotherScan }
    return position
  }

  private func digest(_ position: UnsafeRawBufferPointer) -> SHA256.Digest {
    var hash = SHA256()
    scan.span.withUnsafeBytes { hash.update($0) }
    hash.update(position)
    return hash.finish()
  }
}
