#if canImport(Glibc)
  import Glibc
#endif

/// The answer that an idempotency key has, in a block of memory of its own: what the table needs of
/// it, and its image. Whoever takes it out of the table frees it.
///
/// The image is what log and snapshots hold. Little-endian, nothing is aligned:
///
/// | offset | bytes | what |
/// |---|---|---|
/// | 0 | 1 | version, 1 |
/// | 1 | 1 | bytes of the owner |
/// | 2 | 1 | bytes of the key, 1 to 64 |
/// | 3 | 1 | zero |
/// | 4 | 16 | fingerprint of the request |
/// | 20 | 8 | when it was recorded, Unix milliseconds |
/// | 28 | 8 | revision; 0 in a log record: the record's |
/// | 36 | | owner, key, and the result as `AnswerWriter` writes it |
struct KeptAnswer {
  static let imageVersion: UInt8 = 1
  static let imageHeaderBytes = 36
  private enum Offset {
    static let ownerBytes = 1
    static let keyBytes = 2
    static let fingerprint = 4
    static let recorded = 20
    static let revision = 28
  }

  /// The table's part of the block, in front of the image.
  private struct Links {
    var older: KeptAnswer?
    var newer: KeptAnswer?
    /// Engine time, milliseconds.
    var recordedAt: Int64
    var hash: UInt64
    var imageBytes: Int
  }

  /// About what an answer takes in the table beside its block.
  private static let tableBytes = 96

  private let address: UnsafeMutableRawPointer

  private var links: UnsafeMutablePointer<Links> {
    address.assumingMemoryBound(to: Links.self)
  }
  private var base: UnsafeMutableRawPointer { address + MemoryLayout<Links>.size }

  private init(imageBytes: Int, hash: UInt64, recordedAt: Int64) {
    let bytes = MemoryLayout<Links>.size + imageBytes
    guard let memory = malloc(bytes) else { fatalError("out of memory: an answer of \(bytes)") }
    address = memory
    memory.bindMemory(to: Links.self, capacity: 1).initialize(
      to: Links(
        older: nil, newer: nil, recordedAt: recordedAt, hash: hash, imageBytes: imageBytes))
  }

  /// The answer of a command that is about to be committed.
  /// - Parameters:
  ///   - recordedAt: engine time.
  ///   - stepMillis: what makes that a wall-clock time.
  init(
    _ scope: AnswerScope, _ fingerprint: AnswerFingerprint, _ result: some KeptResult,
    recordedAt: Int64, stepMillis: Int64
  ) {
    let scopeBytes = scope.owner.count + scope.key.count
    let start = Self.imageHeaderBytes + scopeBytes
    self.init(
      imageBytes: start + result.maxKeptBytes, hash: scope.hash, recordedAt: recordedAt)
    base.storeBytes(of: Self.imageVersion, as: UInt8.self)
    base.storeBytes(
      of: UInt8(scope.owner.count), toByteOffset: Offset.ownerBytes, as: UInt8.self)
    base.storeBytes(of: UInt8(scope.key.count), toByteOffset: Offset.keyBytes, as: UInt8.self)
    base.storeBytes(of: 0, toByteOffset: 3, as: UInt8.self)
    base.storeBytes(of: fingerprint.low, toByteOffset: Offset.fingerprint, as: UInt64.self)
    base.storeBytes(of: fingerprint.high, toByteOffset: Offset.fingerprint + 8, as: UInt64.self)
    base.storeBytes(
      of: recordedAt &+ stepMillis, toByteOffset: Offset.recorded, as: Int64.self)
    base.storeBytes(of: 0, toByteOffset: Offset.revision, as: Int64.self)
    var writer = AnswerWriter(unsafe: base + Self.imageHeaderBytes, room: scopeBytes)
    writer.append(scope.owner)
    writer.append(scope.key)
    writer = AnswerWriter(unsafe: base + start, room: result.maxKeptBytes)
    result.write(to: &writer)
    links.pointee.imageBytes = start + (writer.position - (base + start))
  }

  /// An answer that a log or a snapshot kept; `nil` where it is of another version, or no answer.
  /// - Parameters:
  ///   - revision: of its record; 0: its own.
  ///   - now: engine time, which at a start is the wall clock's.
  init?(
    image: UnsafeRawBufferPointer, revision: Int64, now: Int64,
    hash: (_ owner: UnsafeRawBufferPointer, _ key: UnsafeRawBufferPointer) -> UInt64
  ) {
    guard image.count > Self.imageHeaderBytes, image[0] == Self.imageVersion else { return nil }
    let keyBytes = Int(image[Offset.keyBytes])
    let keyStart = Self.imageHeaderBytes + Int(image[Offset.ownerBytes])
    guard keyBytes > 0, keyBytes <= AnswerTicket.maxKeyBytes, image.count > keyStart + keyBytes
    else { return nil }
    let own = image.loadUnaligned(fromByteOffset: Offset.revision, as: Int64.self)
    let settled = revision == 0 ? own : revision
    guard settled > 0 else { return nil }
    let recorded = image.loadUnaligned(fromByteOffset: Offset.recorded, as: Int64.self)
    self.init(
      imageBytes: image.count,
      hash: hash(
        UnsafeRawBufferPointer(rebasing: image[Self.imageHeaderBytes..<keyStart]),
        UnsafeRawBufferPointer(rebasing: image[keyStart..<keyStart + keyBytes])),
      // A clock that was set back must not keep it for longer; before 1970 is nothing.
      recordedAt: min(max(recorded, 0), now))
    if let source = image.baseAddress { memcpy(base, source, image.count) }
    settle(settled)
  }

  /// Frees its memory.
  func release() { free(address) }

  /// Sets the revision of what the command changed.
  func settle(_ revision: Int64) {
    base.storeBytes(of: revision, toByteOffset: Offset.revision, as: Int64.self)
  }

  // MARK: Parts

  /// What log and snapshots hold.
  var image: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: base, count: links.pointee.imageBytes)
  }
  var revision: Int64 { base.loadUnaligned(fromByteOffset: Offset.revision, as: Int64.self) }
  /// Engine time, milliseconds.
  var recordedAt: Int64 { links.pointee.recordedAt }
  /// About what it takes, in bytes.
  var cost: Int { MemoryLayout<Links>.size + links.pointee.imageBytes + Self.tableBytes }

  var fingerprint: AnswerFingerprint {
    var fingerprint = AnswerFingerprint()
    fingerprint.low = base.loadUnaligned(fromByteOffset: Offset.fingerprint, as: UInt64.self)
    fingerprint.high = base.loadUnaligned(
      fromByteOffset: Offset.fingerprint + 8, as: UInt64.self)
    return fingerprint
  }

  private var ownerBytes: Int { Int(image[Offset.ownerBytes]) }
  private var keyBytes: Int { Int(image[Offset.keyBytes]) }

  /// Borrowed: valid until the answer is freed.
  var scope: AnswerScope {
    let owner = base + Self.imageHeaderBytes
    return AnswerScope(
      owner: UnsafeRawBufferPointer(start: owner, count: ownerBytes),
      key: UnsafeRawBufferPointer(start: owner + ownerBytes, count: keyBytes),
      hash: links.pointee.hash)
  }

  var result: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(
      rebasing: image[(Self.imageHeaderBytes + ownerBytes + keyBytes)...])
  }

  /// The one before it in its stripe, by age.
  var older: KeptAnswer? {
    get { links.pointee.older }
    nonmutating set { links.pointee.older = newValue }
  }
  /// The one after it in its stripe, by age.
  var newer: KeptAnswer? {
    get { links.pointee.newer }
    nonmutating set { links.pointee.newer = newValue }
  }

  static func == (left: KeptAnswer, right: KeptAnswer?) -> Bool {
    left.address == right?.address
  }
}

/// Whose idempotency key, and which. Borrowed.
struct AnswerScope: Hashable {
  let owner: UnsafeRawBufferPointer
  let key: UnsafeRawBufferPointer
  /// Of both, by the table that is asked.
  let hash: UInt64

  static func == (left: AnswerScope, right: AnswerScope) -> Bool {
    left.hash == right.hash && isEqual(left.owner, right.owner) && isEqual(left.key, right.key)
  }

  private static func isEqual(
    _ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer
  ) -> Bool {
    guard left.count == right.count else { return false }
    guard left.count > 0, let leftBase = left.baseAddress, let rightBase = right.baseAddress
    else { return true }
    return memcmp(leftBase, rightBase, left.count) == 0
  }

  func hash(into hasher: inout Hasher) { hasher.combine(hash) }
}
