#if canImport(Glibc)
  import Glibc
#endif

/// An open snapshot file, whose header and footer are right. Reading is safe from any thread.
final class SnapshotFile: Sendable {
  let header: SnapshotHeader
  let footer: SnapshotFooter
  let fileBytes: Int64
  var name: String { file.name }

  let file: DataFile
  /// The header's checksum, with which every block begins.
  let tag: UInt32
  let blocksChecksum: UInt32

  /// Reads the header and the footer; the blocks between are not looked at.
  /// - Parameter name: one of the form of a snapshot's must name the sequence in the header.
  init(in folder: borrowing DataFolder, _ name: String) throws(LogError) {
    let file = try DataFile(folder, name, flags: O_RDONLY)
    let fileBytes = try file.byteCount()
    let (header, tag) = try Self.readHeader(file, fileBytes)
    if let sequence = SnapshotFormat.startSequence(ofName: name), sequence != header.startSequence {
      throw .damaged(
        file: name, offset: 32, reason: "the header is of a snapshot from another sequence")
    }
    let offset = fileBytes - Int64(SnapshotFormat.footerBytes)
    guard offset >= SnapshotFormat.headerBytes else {
      throw .damaged(file: name, offset: fileBytes, reason: "the file ends before its footer")
    }
    let (footer, footerTag, blocksChecksum) = try Self.readFooter(file, offset)
    guard footerTag == tag else {
      throw .damaged(file: name, offset: offset, reason: "the footer is of another snapshot")
    }
    self.file = file
    self.header = header
    self.footer = footer
    self.fileBytes = fileBytes
    self.tag = tag
    self.blocksChecksum = blocksChecksum
  }

  static func readHeader(
    _ file: borrowing DataFile, _ fileBytes: Int64
  ) throws(LogError) -> (header: SnapshotHeader, checksum: UInt32) {
    let count = Int(min(fileBytes, Int64(SnapshotFormat.maxHeaderBytes)))
    return try file.withBytes(count, at: 0) { (bytes) throws(LogError) in
      try SnapshotHeader.decode(bytes, file: file.name)
    }
  }

  static func readFooter(
    _ file: borrowing DataFile, _ offset: Int64
  ) throws(LogError) -> (footer: SnapshotFooter, headerChecksum: UInt32, blocksChecksum: UInt32) {
    try file.withBytes(SnapshotFormat.footerBytes, at: offset) { (bytes) throws(LogError) in
      try SnapshotFooter.decode(bytes, file: file.name, offset: offset)
    }
  }

  /// Hands out all blocks in order, on this thread, and checks them against the footer.
  func forEachBlock(_ body: (SnapshotBlock) throws(LogError) -> Void) throws(LogError) {
    var cursor = SnapshotCursor(self)
    var reader = try SnapshotBlockReader(for: name)
    while let (header, offset) = try cursor.next(self) {
      try body(try reader.load(header, at: offset, of: file))
    }
    try cursor.checkEnd(self)
  }

  /// Reads and checks everything.
  func verify() throws(LogError) {
    try forEachBlock { (_) throws(LogError) in }
  }
}

/// Where a walk over a snapshot's blocks is, and what it has counted: one step for each block, in
/// the file's order.
struct SnapshotCursor: Sendable {
  private(set) var offset = Int64(SnapshotFormat.headerBytes)
  private let end: Int64
  private var checksum: UInt32 = 0
  private var entryCount: UInt64 = 0
  private var answerCount: UInt64 = 0
  private var blockCount: UInt64 = 0
  private var rawBytes: UInt64 = 0

  init(_ snapshot: SnapshotFile) {
    end = snapshot.fileBytes - Int64(SnapshotFormat.footerBytes)
  }

  /// The header of the next block, within its bounds and otherwise unchecked; nil at the end.
  mutating func next(
    _ snapshot: borrowing SnapshotFile
  ) throws(LogError) -> (header: SnapshotBlockHeader, offset: Int64)? {
    let start = offset
    guard start < end else { return nil }
    guard end - start >= SnapshotFormat.blockHeaderBytes else {
      throw .damaged(
        file: snapshot.name, offset: start, reason: "\(end - start) bytes are no block")
    }
    let decoded = try snapshot.file.withBytes(SnapshotFormat.blockHeaderBytes, at: start) {
      SnapshotBlockHeader.decode($0, tag: snapshot.tag, maxBytes: end - start)
    }
    switch decoded {
    case .failure(let damage):
      throw .damaged(file: snapshot.name, offset: start, reason: damage.reason)
    case .success(let header):
      checksum = SnapshotBlockHeader.chain(checksum, header.checksum)
      blockCount += 1
      rawBytes += UInt64(header.rawBytes)
      switch SnapshotBlockKind(rawValue: header.kind) {
      case .entries: entryCount += UInt64(header.entryCount)
      case .answers: answerCount += UInt64(header.entryCount)
      case .records, nil: break
      }
      offset = start + Int64(header.byteCount)
      return (header, start)
    }
  }

  /// After the last block: whether they are those that the footer speaks of.
  func checkEnd(_ snapshot: SnapshotFile) throws(LogError) {
    let footer = snapshot.footer
    func damaged(_ reason: String) -> LogError {
      .damaged(file: snapshot.name, offset: end, reason: reason)
    }
    guard blockCount == footer.blockCount else {
      throw damaged("\(blockCount) blocks, and the footer counts \(footer.blockCount)")
    }
    guard entryCount == footer.entryCount, answerCount == footer.answerCount,
      rawBytes == footer.rawBytes
    else { throw damaged("the blocks do not hold what the footer counts") }
    guard checksum == snapshot.blocksChecksum else {
      throw damaged("the checksum of all blocks does not match")
    }
  }
}

/// Reads, checks and expands blocks. Confined to one thread.
struct SnapshotBlockReader: ~Copyable {
  private let expander: SnapshotExpander
  private var stored = SnapshotBuffer()
  private var raw = SnapshotBuffer()

  init(for file: String) throws(LogError) { expander = try SnapshotExpander(for: file) }

  /// The block whose header was found at `offset`. Valid until the next call.
  mutating func load(
    _ header: SnapshotBlockHeader, at offset: Int64, of file: borrowing DataFile
  ) throws(LogError) -> SnapshotBlock {
    let name = file.name
    func damaged(_ reason: String) -> LogError {
      .damaged(file: name, offset: offset, reason: reason)
    }
    try stored.reserve(header.byteCount, for: name)
    let target = UnsafeMutableRawBufferPointer(rebasing: stored.bytes[..<header.byteCount])
    guard try file.read(into: target, at: offset) == header.byteCount else {
      throw damaged("the file ends within a block")
    }
    let bytes = UnsafeRawBufferPointer(target)
    let content = UnsafeRawBufferPointer(rebasing: bytes[SnapshotFormat.blockHeaderBytes...])
    // The header was read before, alone: it is to be the same still.
    guard
      case .success(header) = SnapshotBlockHeader.decode(
        bytes, tag: header.tag, maxBytes: Int64(bytes.count)),
      SnapshotBlockHeader.checksum(bytes, content) == header.checksum
    else { throw damaged("the block's checksum does not match") }
    guard let kind = SnapshotBlockKind(rawValue: header.kind) else {
      throw .unknownRecord(file: name, offset: offset, kind: header.kind)
    }
    try raw.reserve(header.rawBytes, for: name)
    let expanded = UnsafeMutableRawBufferPointer(rebasing: raw.bytes[..<header.rawBytes])
    if let reason = expander.expand(content, into: expanded) { throw damaged(reason) }
    return SnapshotBlock(
      kind: kind, entryCount: header.entryCount, offset: offset, fileBytes: header.byteCount,
      raw: UnsafeRawBufferPointer(expanded))
  }
}

extension DataFile {
  func write(_ bytes: [UInt8], at offset: Int64) throws(LogError) {
    try bytes.withUnsafeBufferPointer { (bytes) throws(LogError) in
      try write(UnsafeRawBufferPointer(bytes), at: offset)
    }
  }

  /// Reads exactly `count` bytes; for small ones, since they are allocated for the call.
  func withBytes<Output>(
    _ count: Int, at offset: Int64, _ body: (UnsafeRawBufferPointer) throws(LogError) -> Output
  ) throws(LogError) -> Output {
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, count), alignment: 8)
    defer { bytes.deallocate() }
    let target = UnsafeMutableRawBufferPointer(rebasing: bytes[..<count])
    guard try read(into: target, at: offset) == count else {
      throw .damaged(file: name, offset: offset, reason: "the file ends within \(count) bytes")
    }
    return try body(UnsafeRawBufferPointer(target))
  }
}
