import CLinux

/// What the writer and the reader of snapshot files share; the format is described in
/// SnapshotFormat.md. All numbers are little-endian.
enum SnapshotFormat {
  /// The newest version that this code reads, and the one it writes.
  static let version: UInt32 = 1
  /// What a snapshot is called until it is complete.
  static let temporaryName = "snap.tmp"
  static let namePrefix = "snapshot-"

  /// "ROOSTSNP"
  static let headerMagic: UInt64 = 0x504e_5354_534f_4f52
  /// "SNPF"
  static let footerMagic: UInt32 = 0x4650_4e53
  /// "ROOSTEND"
  static let endMagic: UInt64 = 0x444e_4554_534f_4f52

  static let headerBytes = 52
  static let blockHeaderBytes = 24
  static let footerBytes = 80
  /// A later version's header has its checksum at its end, within this many bytes.
  static let maxHeaderBytes = 4096

  /// Images are gathered up to this size; a larger one makes a block of its own.
  static let blockBytes = 256 << 10
  /// The largest image: a list of 64 MiB and what its items take beside their bytes.
  static let maxImageBytes = 72 << 20
  static let compressionLevel: Int32 = 1

  /// The name of the snapshot from whose walk's start the log is replayed at `startSequence`.
  static func name(startSequence: UInt64) -> String { namePrefix + Hex.text(startSequence) }

  /// The sequence in a snapshot's name; nil for other files.
  static func startSequence(ofName name: String) -> UInt64? {
    guard name.hasPrefix(namePrefix) else { return nil }
    return Hex.parse(name.dropFirst(namePrefix.count))
  }

  /// The most bytes that `rawBytes` take when compressed: zstd's ZSTD_COMPRESSBOUND.
  static func maxStoredBytes(rawBytes: Int) -> Int {
    rawBytes + rawBytes >> 8 + (rawBytes < 128 << 10 ? ((128 << 10) - rawBytes) >> 11 : 0)
  }
}

/// What a snapshot's blocks hold.
enum SnapshotBlockKind: UInt8, Sendable {
  case entries = 1
  /// Answers that idempotency keys have.
  case answers = 2
  /// Records of the log from the snapshot's start to its end, for whoever has no log.
  case records = 3
}

/// The beginning of a snapshot file.
struct SnapshotHeader: Sendable, Hashable {
  var storeID: StoreID
  /// The log is replayed from this sequence on.
  var startSequence: UInt64
  var createdAtMillis: Int64

  /// Its bytes, `SnapshotFormat.headerBytes`, and their checksum, which is the file's tag.
  func encoded() -> (bytes: [UInt8], checksum: UInt32) {
    var bytes = [UInt8](repeating: 0, count: SnapshotFormat.headerBytes)
    let checksum = bytes.withUnsafeMutableBytes { target in
      target.storeLittleEndian(SnapshotFormat.headerMagic, at: 0)
      target.storeLittleEndian(SnapshotFormat.version, at: 8)
      target.storeLittleEndian(UInt32(SnapshotFormat.headerBytes), at: 12)
      storeID.write(unsafe: target.baseAddress! + 16)
      target.storeLittleEndian(startSequence, at: 32)
      target.storeLittleEndian(createdAtMillis, at: 40)
      let checksum = clinux_crc32c(0, target.baseAddress, 48)
      target.storeLittleEndian(checksum, at: 48)
      return checksum
    }
    return (bytes, checksum)
  }

  /// - Parameter bytes: the file's first bytes, up to `maxHeaderBytes` of them.
  static func decode(
    _ bytes: UnsafeRawBufferPointer, file: String
  ) throws(LogError) -> (header: SnapshotHeader, checksum: UInt32) {
    func damaged(_ reason: String) -> LogError { .damaged(file: file, offset: 0, reason: reason) }
    guard bytes.count >= SnapshotFormat.headerBytes else {
      throw damaged("\(bytes.count) bytes are too few for a snapshot")
    }
    guard bytes.littleEndian(UInt64.self, at: 0) == SnapshotFormat.headerMagic else {
      throw damaged("this is no snapshot")
    }
    let version = bytes.littleEndian(UInt32.self, at: 8)
    let count = Int(bytes.littleEndian(UInt32.self, at: 12))
    guard count >= SnapshotFormat.headerBytes, count <= bytes.count else {
      throw damaged("a header of \(count) bytes")
    }
    let checksum = bytes.littleEndian(UInt32.self, at: count - 4)
    guard clinux_crc32c(0, bytes.baseAddress, count - 4) == checksum else {
      throw damaged("the header's checksum does not match")
    }
    if version > SnapshotFormat.version {
      throw .newerFormat(file: file, version: version, supported: SnapshotFormat.version)
    }
    guard version == SnapshotFormat.version, count == SnapshotFormat.headerBytes else {
      throw damaged("a header of \(count) bytes with format version \(version)")
    }
    let header = SnapshotHeader(
      storeID: StoreID(unsafe: bytes.baseAddress! + 16),
      startSequence: bytes.littleEndian(UInt64.self, at: 32),
      createdAtMillis: bytes.littleEndian(Int64.self, at: 40))
    return (header, checksum)
  }
}

/// The end of a snapshot file.
struct SnapshotFooter: Sendable, Hashable {
  var entryCount: UInt64
  var answerCount: UInt64
  var blockCount: UInt64
  /// Of all blocks, before compression.
  var rawBytes: UInt64
  /// The newest revision that the walk saw: the log must be durable up to it.
  var lastRevision: Int64
  /// The log's sequence when the walk ended.
  var endSequence: UInt64
  /// No revision above it was issued.
  var revisionLimit: Int64

  /// Its bytes, `SnapshotFormat.footerBytes`.
  func encoded(headerChecksum: UInt32, blocksChecksum: UInt32) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: SnapshotFormat.footerBytes)
    bytes.withUnsafeMutableBytes { target in
      target.storeLittleEndian(SnapshotFormat.footerMagic, at: 0)
      target.storeLittleEndian(headerChecksum, at: 4)
      target.storeLittleEndian(entryCount, at: 8)
      target.storeLittleEndian(answerCount, at: 16)
      target.storeLittleEndian(blockCount, at: 24)
      target.storeLittleEndian(rawBytes, at: 32)
      target.storeLittleEndian(lastRevision, at: 40)
      target.storeLittleEndian(endSequence, at: 48)
      target.storeLittleEndian(revisionLimit, at: 56)
      target.storeLittleEndian(blocksChecksum, at: 64)
      target.storeLittleEndian(clinux_crc32c(0, target.baseAddress, 68), at: 68)
      target.storeLittleEndian(SnapshotFormat.endMagic, at: 72)
    }
    return bytes
  }

  /// - Parameter bytes: exactly `SnapshotFormat.footerBytes`, which begin at `offset`.
  static func decode(
    _ bytes: UnsafeRawBufferPointer, file: String, offset: Int64
  ) throws(LogError) -> (footer: SnapshotFooter, headerChecksum: UInt32, blocksChecksum: UInt32) {
    func damaged(_ reason: String) -> LogError {
      .damaged(file: file, offset: offset, reason: reason)
    }
    guard bytes.littleEndian(UInt64.self, at: 72) == SnapshotFormat.endMagic else {
      throw damaged("the file does not end as a complete snapshot does")
    }
    guard bytes.littleEndian(UInt32.self, at: 0) == SnapshotFormat.footerMagic else {
      throw damaged("no footer begins here")
    }
    guard clinux_crc32c(0, bytes.baseAddress, 68) == bytes.littleEndian(UInt32.self, at: 68) else {
      throw damaged("the footer's checksum does not match")
    }
    let footer = SnapshotFooter(
      entryCount: bytes.littleEndian(UInt64.self, at: 8),
      answerCount: bytes.littleEndian(UInt64.self, at: 16),
      blockCount: bytes.littleEndian(UInt64.self, at: 24),
      rawBytes: bytes.littleEndian(UInt64.self, at: 32),
      lastRevision: bytes.littleEndian(Int64.self, at: 40),
      endSequence: bytes.littleEndian(UInt64.self, at: 48),
      revisionLimit: bytes.littleEndian(Int64.self, at: 56))
    guard footer.isPossible(blockRegionBytes: UInt64(max(0, offset))) else {
      throw damaged("the footer counts more than the file holds")
    }
    return (
      footer, bytes.littleEndian(UInt32.self, at: 4), bytes.littleEndian(UInt32.self, at: 64)
    )
  }

  /// Whether so many blocks fit before the footer, so many bytes in the blocks, and so many images
  /// in the bytes: who reads may make room for what is counted here.
  private func isPossible(blockRegionBytes: UInt64) -> Bool {
    guard blockCount <= blockRegionBytes / UInt64(SnapshotFormat.blockHeaderBytes) else {
      return false
    }
    let (images, tooManyImages) = entryCount.addingReportingOverflow(answerCount)
    let (mostBytes, isAnything) = blockCount.multipliedReportingOverflow(
      by: UInt64(SnapshotFormat.maxImageBytes))
    // Records have blocks too, and are not counted.
    return !tooManyImages && max(blockCount, images) <= rawBytes
      && (isAnything || rawBytes <= mostBytes)
  }
}

extension UnsafeRawBufferPointer {
  /// The number at `offset`, which the caller has checked.
  func littleEndian<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type, at offset: Int) -> T {
    T(littleEndian: loadUnaligned(fromByteOffset: offset, as: type))
  }
}

extension UnsafeMutableRawBufferPointer {
  func storeLittleEndian<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, at offset: Int) {
    storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
  }
}
