#if canImport(Glibc)
  import Glibc
#endif

/// Bytes of a snapshot that are lost.
struct SnapshotLoss: Sendable, Hashable {
  let offset: Int64
  /// 0 where what is missing is not in the file.
  let byteCount: Int64
  let reason: String
}

/// What was found in a damaged snapshot.
struct SnapshotSalvage: Sendable {
  /// Nil where it is damaged.
  var header: SnapshotHeader?
  /// Nil where it is damaged or missing.
  var footer: SnapshotFooter?
  var blockCount = 0
  var entryCount = 0
  var answerCount = 0
  /// In the file's order; empty where nothing is lost.
  var losses: [SnapshotLoss] = []
}

extension SnapshotFile {
  /// Hands out each valid block of a file, however damaged the rest is, and says what is lost.
  ///
  /// Throws for a file of a newer format, for what `body` throws, and where the file cannot be read
  /// at all; places that the disk does not give back are lost like others.
  static func salvageBlocks(
    in folder: borrowing DataFolder, _ name: String,
    _ body: (SnapshotBlock) throws(LogError) -> Void
  ) throws(LogError) -> SnapshotSalvage {
    var salvager = try SnapshotSalvager(folder, name)
    try salvager.findEnds()
    try salvager.findBlocks(body)
    return salvager.salvage
  }
}

/// Goes through one damaged snapshot. Confined to one thread.
///
/// 1. `tag` is what this file's blocks begin with. Users do not know it, so that behind damage no
///    bytes that a user stored are taken for a block, but by a chance of one in 2^32 a byte and a
///    checksum.
/// 2. Each byte from the first block to `end` is in a block that was handed out or in a loss.
private struct SnapshotSalvager: ~Copyable {
  private static let chunkBytes = 1 << 20
  /// What a disk gives back as a whole or not at all.
  private static let pageBytes = 4096

  private let file: DataFile
  private let fileBytes: Int64
  private var reader: SnapshotBlockReader
  private var tag: UInt32 = 0
  /// Where blocks end.
  private var end: Int64
  private var footerReason = ""
  private(set) var salvage = SnapshotSalvage()

  init(_ folder: borrowing DataFolder, _ name: String) throws(LogError) {
    let file = try DataFile(folder, name, flags: O_RDONLY)
    let fileBytes = try file.byteCount()
    let reader = try SnapshotBlockReader(for: name)
    self.file = file
    self.fileBytes = fileBytes
    self.reader = reader
    end = fileBytes
  }

  /// The header, the footer, and the tag.
  mutating func findEnds() throws(LogError) {
    let headerBytes = Int64(SnapshotFormat.headerBytes)
    var tags: [UInt32] = []
    do throws(LogError) {
      let (header, checksum) = try SnapshotFile.readHeader(file, fileBytes)
      salvage.header = header
      tags = [checksum]
    } catch {
      let reason = try Self.reason(error)
      addLoss(0, min(headerBytes, fileBytes), reason)
    }
    let footerOffset = fileBytes - Int64(SnapshotFormat.footerBytes)
    if footerOffset >= headerBytes {
      do throws(LogError) {
        let (footer, checksum, _) = try SnapshotFile.readFooter(file, footerOffset)
        if salvage.header == nil || tags == [checksum] {
          tags = [checksum]
          salvage.footer = footer
          end = footerOffset
        } else {
          footerReason = "the footer is of another snapshot"
        }
      } catch {
        footerReason = try Self.reason(error)
      }
    }
    if footerReason.isEmpty { footerReason = "the file ends without a footer" }
    // Without both, what the header has for a checksum may still be right, or the first block.
    if tags.isEmpty { tags = try readTags() }
    tag = tags.first ?? 0
    for other in tags.dropFirst() {
      if case .block = try attempt(headerBytes) { return }
      tag = other
    }
  }

  /// The tag as the header and as the first block have it.
  private func readTags() throws(LogError) -> [UInt32] {
    let headerBytes = SnapshotFormat.headerBytes
    guard fileBytes >= headerBytes + SnapshotFormat.blockHeaderBytes else { return [] }
    return try withReadable(8, at: Int64(headerBytes - 4)) {
      [$0.littleEndian(UInt32.self, at: 0), $0.littleEndian(UInt32.self, at: 4)]
    }
  }

  mutating func findBlocks(_ body: (SnapshotBlock) throws(LogError) -> Void) throws(LogError) {
    var offset = Int64(SnapshotFormat.headerBytes)
    var lost: (offset: Int64, reason: String)?
    while offset < end {
      switch try attempt(offset) {
      case .block(let block):
        if let lost { addLoss(lost.offset, offset - lost.offset, lost.reason) }
        lost = nil
        try body(block)
        count(block)
        offset += Int64(block.fileBytes)
      case .damaged(let reason, let claimedBytes):
        if lost == nil { lost = (offset, reason) }
        offset = try nextOffset(after: offset, claimedBytes)
      }
    }
    let isFooterThere = salvage.footer != nil
    if let lost {
      let isFooter = !isFooterThere && end - lost.offset == SnapshotFormat.footerBytes
      addLoss(lost.offset, end - lost.offset, isFooter ? footerReason : lost.reason)
    }
    if !isFooterThere && lost == nil { addLoss(fileBytes, 0, footerReason) }
    if let footer = salvage.footer, salvage.losses.isEmpty, footer.blockCount != salvage.blockCount
    {
      addLoss(
        end, 0, "\(salvage.blockCount) blocks, and the footer counts \(footer.blockCount)")
    }
  }

  private enum Attempt {
    case block(SnapshotBlock)
    /// With the bytes that the header claims for the block, where it may be right.
    case damaged(String, claimedBytes: Int?)
  }

  private mutating func attempt(_ offset: Int64) throws(LogError) -> Attempt {
    let left = end - offset
    guard left >= SnapshotFormat.blockHeaderBytes else {
      return .damaged("\(left) bytes are no block", claimedBytes: nil)
    }
    let tag = tag
    let decoded = try withReadable(SnapshotFormat.blockHeaderBytes, at: offset) {
      SnapshotBlockHeader.decode($0, tag: tag, maxBytes: left)
    }
    switch decoded {
    case .failure(let damage): return .damaged(damage.reason, claimedBytes: nil)
    case .success(let header):
      do throws(LogError) {
        return .block(try reader.load(header, at: offset, of: file))
      } catch {
        return .damaged(try Self.reason(error), claimedBytes: header.byteCount)
      }
    }
  }

  /// Where the next block may begin: where the damaged one claims to end, if that is the place of
  /// another; else at the next tag.
  private mutating func nextOffset(
    after offset: Int64, _ claimedBytes: Int?
  ) throws(LogError) -> Int64 {
    if let claimedBytes {
      let next = offset + Int64(claimedBytes)
      if next == end && salvage.footer != nil { return next }
      if next < end, case .block = try attempt(next) { return next }
    }
    return try findTag(from: offset + 1)
  }

  private func findTag(from start: Int64) throws(LogError) -> Int64 {
    var offset = start
    let tag = tag
    while end - offset >= SnapshotFormat.blockHeaderBytes {
      let count = Int(min(end - offset, Int64(Self.chunkBytes)))
      let found = try withReadable(count, at: offset) { bytes -> Int? in
        for place in 0...(count - 4) where bytes.littleEndian(UInt32.self, at: place) == tag {
          return place
        }
        return nil
      }
      if let found { return offset + Int64(found) }
      // The last three bytes may be the beginning of one.
      offset += Int64(count - 3)
    }
    return end
  }

  /// Reads `count` bytes that are in the file; zeros stand for pages that the disk does not give.
  private func withReadable<Output>(
    _ count: Int, at offset: Int64, _ body: (UnsafeRawBufferPointer) -> Output
  ) throws(LogError) -> Output {
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 8)
    defer { bytes.deallocate() }
    bytes.initializeMemory(as: UInt8.self, repeating: 0)
    do throws(LogError) {
      _ = try file.read(into: bytes, at: offset)
    } catch {
      _ = try Self.reason(error)
      var place = 0
      while place < count {
        let step = min(count - place, Self.pageBytes)
        let page = UnsafeMutableRawBufferPointer(rebasing: bytes[place..<(place + step)])
        _ = try? file.read(into: page, at: offset + Int64(place))
        place += step
      }
    }
    return body(UnsafeRawBufferPointer(bytes))
  }

  /// Why the bytes at an offset are lost; what is not about those bytes is thrown again.
  private static func reason(_ error: LogError) throws(LogError) -> String {
    switch error {
    case .damaged(_, _, let reason): return reason
    case .unknownRecord(_, _, let kind): return "a block of the unknown kind \(kind)"
    case .system(let operation, _, EIO): return "\(operation): \(String(cString: strerror(EIO)))"
    default: throw error
    }
  }

  private mutating func count(_ block: SnapshotBlock) {
    salvage.blockCount += 1
    switch block.kind {
    case .entries: salvage.entryCount += block.entryCount
    case .answers: salvage.answerCount += block.entryCount
    case .records: break
    }
  }

  private mutating func addLoss(_ offset: Int64, _ byteCount: Int64, _ reason: String) {
    salvage.losses.append(SnapshotLoss(offset: offset, byteCount: byteCount, reason: reason))
  }
}
