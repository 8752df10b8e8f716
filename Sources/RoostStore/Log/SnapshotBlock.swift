import CLinux

/// A block of a snapshot, as its reader hands it out.
struct SnapshotBlock {
  let kind: SnapshotBlockKind
  /// The images in `raw`.
  let entryCount: Int
  /// Where the block begins in the file, to name it in errors.
  let offset: Int64
  /// What it takes in the file.
  let fileBytes: Int
  /// The images, one after the other. Valid during the call that got it.
  let raw: UnsafeRawBufferPointer
}

/// What stands before a block's stored bytes.
struct SnapshotBlockHeader: Sendable, Hashable {
  /// The checksum of the file's header. With it a block is found again behind damage, and a block
  /// of another file, or one in a value that somebody stored, is not taken for one of this file's.
  var tag: UInt32
  /// Not yet known to be one of `SnapshotBlockKind`.
  var kind: UInt8
  var entryCount: Int
  var rawBytes: Int
  var storedBytes: Int
  /// Over the fields above and the stored bytes.
  var checksum: UInt32 = 0

  /// The block's bytes in the file.
  var byteCount: Int { SnapshotFormat.blockHeaderBytes + storedBytes }

  /// Writes the header, with the checksum of itself and of the stored bytes.
  /// - Parameter target: the header's place; its size is `blockHeaderBytes`.
  mutating func write(
    to target: UnsafeMutableRawBufferPointer, stored: UnsafeRawBufferPointer
  ) {
    target.storeLittleEndian(tag, at: 0)
    target.storeLittleEndian(UInt32(kind), at: 4)
    target.storeLittleEndian(UInt32(entryCount), at: 8)
    target.storeLittleEndian(UInt32(rawBytes), at: 12)
    target.storeLittleEndian(UInt32(storedBytes), at: 16)
    checksum = Self.checksum(UnsafeRawBufferPointer(target), stored)
    target.storeLittleEndian(checksum, at: 20)
  }

  /// Reads it and checks its bounds; that the checksum is right only the stored bytes can show.
  /// - Parameters:
  ///   - bytes: `blockHeaderBytes`.
  ///   - maxBytes: what is left of the file for the block.
  /// - Returns: the reason where it cannot be a block.
  static func decode(
    _ bytes: UnsafeRawBufferPointer, tag: UInt32, maxBytes: Int64
  ) -> Result<SnapshotBlockHeader, SnapshotBlockDamage> {
    func damaged(_ reason: String) -> Result<Self, SnapshotBlockDamage> {
      .failure(SnapshotBlockDamage(reason: reason))
    }
    let kindWord = bytes.littleEndian(UInt32.self, at: 4)
    let header = SnapshotBlockHeader(
      tag: bytes.littleEndian(UInt32.self, at: 0), kind: UInt8(truncatingIfNeeded: kindWord),
      entryCount: Int(bytes.littleEndian(UInt32.self, at: 8)),
      rawBytes: Int(bytes.littleEndian(UInt32.self, at: 12)),
      storedBytes: Int(bytes.littleEndian(UInt32.self, at: 16)),
      checksum: bytes.littleEndian(UInt32.self, at: 20))
    guard header.tag == tag else { return damaged("no block of this snapshot begins here") }
    guard kindWord >> 8 == 0 else { return damaged("reserved bytes are not zero") }
    guard (1...SnapshotFormat.maxImageBytes).contains(header.rawBytes) else {
      return damaged("a block of \(header.rawBytes) bytes")
    }
    guard (1...header.rawBytes).contains(header.entryCount) else {
      return damaged("\(header.entryCount) images in \(header.rawBytes) bytes")
    }
    guard
      header.storedBytes <= SnapshotFormat.maxStoredBytes(rawBytes: header.rawBytes),
      header.byteCount <= maxBytes
    else { return damaged("a block that takes \(header.byteCount) bytes in the file") }
    return .success(header)
  }

  /// - Parameter header: the header's bytes, of which those before the checksum count.
  static func checksum(_ header: UnsafeRawBufferPointer, _ stored: UnsafeRawBufferPointer) -> UInt32
  {
    clinux_crc32c(
      clinux_crc32c(0, header.baseAddress, 20), stored.baseAddress, stored.count)
  }

  /// The checksum over the checksums of all blocks in order, one block further.
  static func chain(_ checksum: UInt32, _ next: UInt32) -> UInt32 {
    withUnsafeBytes(of: next.littleEndian) { clinux_crc32c(checksum, $0.baseAddress, $0.count) }
  }
}

/// Why bytes are not a valid block.
struct SnapshotBlockDamage: Error { let reason: String }
