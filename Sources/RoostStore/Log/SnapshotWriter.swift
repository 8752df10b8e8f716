import CLinux

#if canImport(Glibc)
  import Glibc
#endif

/// Writes one snapshot file. Confined to one thread, and never called with a lock held: it
/// compresses, writes, and sleeps to keep its rate.
///
/// 1. All is in `snap.tmp` until `publish`; nothing of another name changes before that.
/// 2. After one failure every later call throws it again, and `abandon` removes the file.
/// 3. A file is published only after all of it was synced, read back and found right.
/// 4. `room` is what the block buffer takes yet; 0 where nothing may be appended.
final class SnapshotWriter {
  /// The disk is given this much at a time, and is at most one such step behind: so the sync at
  /// the end is short, and those of the log do not wait behind it.
  static let writeBackBytes: Int64 = 4 << 20

  private enum Phase { case writing, finished, published, abandoned }

  private let folder: DataFolder
  private let file: DataFile
  private let header: SnapshotHeader
  private let tag: UInt32
  private let shouldStop: @Sendable () -> Bool
  private let compressor: SnapshotCompressor
  private var pacer: SnapshotPacer
  private var phase = Phase.writing
  private var failure: LogError?

  private let block: UnsafeMutableRawBufferPointer
  private var room: Int
  private var kind = SnapshotBlockKind.entries
  private var imageCount = 0
  private var stored = SnapshotBuffer()

  /// The file's length.
  private var offset: Int64
  private var writeBackStart: Int64 = 0
  private var writeBackEnd: Int64 = 0
  private var blocksChecksum: UInt32 = 0
  private var footer = SnapshotFooter(
    entryCount: 0, answerCount: 0, blockCount: 0, rawBytes: 0, lastRevision: 0, endSequence: 0,
    revisionLimit: 0)

  /// Begins `snap.tmp`, in place of what may be left of an earlier one.
  /// - Parameters:
  ///   - bytesPerSecond: of images and of the file together; reading back counts too. 0: no limit.
  ///   - shouldStop: asked at each block and while it waits; true ends the work with
  ///     `LogError.notPossible`.
  init(
    in folder: borrowing DataFolder, _ header: SnapshotHeader, bytesPerSecond: Int,
    shouldStop: @escaping @Sendable () -> Bool = { false }
  ) throws(LogError) {
    let folder = try DataFolder(folder.path)
    let compressor = try SnapshotCompressor()
    try folder.remove(SnapshotFormat.temporaryName)
    let file = try DataFile(
      folder, SnapshotFormat.temporaryName, flags: O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW)
    let (bytes, checksum) = header.encoded()
    do throws(LogError) {
      try file.write(bytes, at: 0)
    } catch {
      try? folder.remove(SnapshotFormat.temporaryName)
      throw error
    }
    self.folder = folder
    self.file = file
    self.header = header
    self.shouldStop = shouldStop
    self.compressor = compressor
    tag = checksum
    pacer = SnapshotPacer(bytesPerSecond: bytesPerSecond)
    offset = Int64(bytes.count)
    block = .allocate(byteCount: SnapshotFormat.blockBytes, alignment: 16)
    room = block.count
  }

  deinit {
    abandon()
    block.deallocate()
  }

  /// Adds one image. Most calls copy it into a buffer and do nothing else; the call that finds the
  /// buffer full compresses it, writes it, and waits as the rate demands.
  /// - Parameter image: not empty. Throws `LogError.notPossible` for more than `maxImageBytes`.
  @inline(__always)
  func append(_ kind: SnapshotBlockKind, _ image: UnsafeRawBufferPointer) throws(LogError) {
    // An empty image has the largest of all numbers here.
    if kind == self.kind && UInt(bitPattern: image.count &- 1) < UInt(bitPattern: room) {
      let target = block.baseAddress.unsafelyUnwrapped + (block.count &- room)
      target.copyMemory(from: image.baseAddress.unsafelyUnwrapped, byteCount: image.count)
      room &-= image.count
      imageCount &+= 1
      return
    }
    try appendToNextBlock(kind, image)
  }

  @inline(never)
  private func appendToNextBlock(
    _ kind: SnapshotBlockKind, _ image: UnsafeRawBufferPointer
  ) throws(LogError) {
    precondition(image.count > 0, "an image has bytes")
    try guarded { () throws(LogError) in
      precondition(phase == .writing, "a finished snapshot takes no images")
      if image.count > SnapshotFormat.maxImageBytes {
        throw .notPossible(
          "an image of \(image.count) bytes; a snapshot takes up to"
            + " \(SnapshotFormat.maxImageBytes)")
      }
      try writeGathered()
      self.kind = kind
      if image.count > block.count {
        try writeBlock(image, imageCount: 1)
      } else {
        block.copyMemory(from: image)
        room = block.count - image.count
        imageCount = 1
      }
    }
  }

  /// Ends the file, syncs it, and reads it back from the disk. It still is `snap.tmp`.
  /// - Parameters: as in `SnapshotFooter`.
  func finish(
    lastRevision: Int64, endSequence: UInt64, revisionLimit: Int64
  ) throws(LogError) -> SnapshotFooter {
    try guarded { () throws(LogError) in
      precondition(phase == .writing, "a snapshot is finished once")
      try writeGathered()
      room = 0
      footer.lastRevision = lastRevision
      footer.endSequence = endSequence
      footer.revisionLimit = revisionLimit
      let bytes = footer.encoded(headerChecksum: tag, blocksChecksum: blocksChecksum)
      try file.write(bytes, at: offset)
      offset += Int64(bytes.count)
      try file.sync()
      try readBack()
      phase = .finished
      return footer
    }
  }

  /// Gives the finished file its name, durably. An older one of the same name is replaced.
  /// Where only syncing the directory fails, the file has its name, and a crash may take that back.
  func publish() throws(LogError) -> (name: String, fileBytes: Int64) {
    try guarded { () throws(LogError) in
      precondition(phase == .finished, "a snapshot is published once, when it is finished")
      let name = SnapshotFormat.name(startSequence: header.startSequence)
      try folder.rename(SnapshotFormat.temporaryName, to: name)
      phase = .published
      try folder.sync()
      return (name, offset)
    }
  }

  /// Removes `snap.tmp`. Without effect after `publish`, and more than once.
  func abandon() {
    guard phase == .writing || phase == .finished else { return }
    phase = .abandoned
    room = 0
    if failure == nil { failure = .notPossible("the snapshot was abandoned") }
    try? folder.remove(SnapshotFormat.temporaryName)
  }

  private func guarded<Output>(
    _ body: () throws(LogError) -> Output
  ) throws(LogError) -> Output {
    if let failure { throw failure }
    do throws(LogError) {
      return try body()
    } catch {
      failure = error
      room = 0
      throw error
    }
  }

  private func writeGathered() throws(LogError) {
    guard imageCount > 0 else { return }
    let gathered = UnsafeRawBufferPointer(rebasing: block[..<(block.count - room)])
    try writeBlock(gathered, imageCount: imageCount)
    imageCount = 0
    room = block.count
  }

  private func writeBlock(_ raw: UnsafeRawBufferPointer, imageCount: Int) throws(LogError) {
    let headerBytes = SnapshotFormat.blockHeaderBytes
    try stored.reserve(
      headerBytes + SnapshotFormat.maxStoredBytes(rawBytes: raw.count), for: file.name)
    let storedBytes = try compressor.compress(
      raw, into: UnsafeMutableRawBufferPointer(rebasing: stored.bytes[headerBytes...]))
    var header = SnapshotBlockHeader(
      tag: tag, kind: kind.rawValue, entryCount: imageCount, rawBytes: raw.count,
      storedBytes: storedBytes)
    let bytes = stored.unsafePrefix(header.byteCount)
    header.write(
      to: UnsafeMutableRawBufferPointer(rebasing: stored.bytes[..<headerBytes]),
      stored: UnsafeRawBufferPointer(rebasing: bytes[headerBytes...]))
    try file.write(bytes, at: offset)
    offset += Int64(bytes.count)
    blocksChecksum = SnapshotBlockHeader.chain(blocksChecksum, header.checksum)
    footer.blockCount += 1
    footer.rawBytes += UInt64(raw.count)
    switch kind {
    case .entries: footer.entryCount += UInt64(imageCount)
    case .answers: footer.answerCount += UInt64(imageCount)
    case .records: break
    }
    try startWriteBack()
    try pacer.pace(raw.count + bytes.count, unless: shouldStop)
  }

  private func startWriteBack() throws(LogError) {
    guard offset - writeBackEnd >= Self.writeBackBytes else { return }
    // Waits for the step before, begins this one.
    let code = clinux_write_back(file.descriptor, writeBackStart, offset - writeBackStart)
    // Some file systems have no such call; the sync at the end then takes longer.
    if code == EIO || code == ENOSPC || code == EDQUOT { throw file.fail("sync_file_range", code) }
    writeBackStart = writeBackEnd
    writeBackEnd = offset
  }

  private func readBack() throws(LogError) {
    // Without this the page cache would answer for the disk. Advice only: its failure is none.
    posix_fadvise(file.descriptor, 0, 0, POSIX_FADV_DONTNEED)
    let written = try SnapshotFile(in: folder, file.name)
    guard written.header == header, written.footer == footer, written.fileBytes == offset else {
      throw .damaged(file: file.name, offset: 0, reason: "it reads back as another snapshot")
    }
    try written.forEachBlock { (block) throws(LogError) in
      try pacer.pace(block.raw.count + block.fileBytes, unless: shouldStop)
    }
  }
}
