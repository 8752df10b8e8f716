import CLinux

#if canImport(Glibc)
  import Glibc
#endif

/// Reads a segment's records in order, a batch at a time, and checks each. One thread's.
final class SegmentReader {
  /// Read at once; a record that is larger gets as much as it needs.
  private static let chunkBytes = 4 << 20

  /// Where a record lies in the batch.
  struct Position {
    var bodyOffset: Int
    var bodyBytes: Int
    var kind: UInt8
    var fileOffset: Int64
    var sequence: UInt64
  }

  /// Why the records end.
  enum End {
    /// The file does.
    case file
    /// What is at the offset is no record: torn, or damaged.
    case invalid(offset: Int64, reason: String)
  }

  let name: String
  let header: SegmentHeader
  let fileBytes: Int64
  private let file: DataFile
  private var buffer = UnsafeMutableRawBufferPointer.allocate(
    byteCount: SegmentReader.chunkBytes, alignment: 64)
  private var filled = 0
  private var consumed = 0
  /// Of the buffer's first byte.
  private var bufferOffset: Int64
  /// The sequence that the next record must have.
  private(set) var nextSequence: UInt64
  /// Where the next record begins.
  private(set) var nextOffset: Int64
  /// Why there are no more records; `nil`: there may be.
  private(set) var end: End?

  /// Opens a segment and reads its header.
  /// - Throws: `LogError.damaged` at offset 0 where the header is not whole: a segment that was
  ///   begun and not synced may be like that.
  init(
    in folder: borrowing DataFolder, _ name: String
  ) throws(LogError) {
    self.name = name
    file = try DataFile(folder, name, flags: O_RDONLY)
    fileBytes = try file.byteCount()
    let count = try file.read(
      into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<LogFormat.segmentHeaderBytes]),
      at: 0)
    do throws(SegmentHeader.Fault) {
      header = try SegmentHeader(decoding: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    } catch {
      buffer.deallocate()
      switch error {
      case .cutShort: throw .damaged(file: name, offset: 0, reason: "its header is cut short")
      case .damaged(let reason): throw .damaged(file: name, offset: 0, reason: reason)
      case .newer(let version):
        throw .newerFormat(file: name, version: version, supported: LogFormat.version)
      }
    }
    nextSequence = header.firstSequence
    nextOffset = Int64(LogFormat.segmentHeaderBytes)
    bufferOffset = nextOffset
    posix_fadvise(file.descriptor, 0, 0, Int32(POSIX_FADV_SEQUENTIAL))
  }

  deinit { buffer.deallocate() }

  /// The bytes of a record's body, of the batch that was read last.
  @inline(__always)
  func body(_ position: Position) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(
      start: buffer.baseAddress.unsafelyUnwrapped + position.bodyOffset,
      count: position.bodyBytes)
  }

  /// A record of the batch that was read last, with its header.
  func record(_ position: Position) -> UnsafeRawBufferPointer {
    let start = position.bodyOffset - LogFormat.recordHeaderBytes
    return UnsafeRawBufferPointer(
      start: buffer.baseAddress.unsafelyUnwrapped + start,
      count: LogFormat.recordHeaderBytes + position.bodyBytes)
  }

  /// Reads the next records; what the batch before them lent is gone.
  /// - Returns: `false`: there are no more, and `end` says why.
  func readBatch(_ positions: inout [Position]) throws(LogError) -> Bool {
    positions.removeAll(keepingCapacity: true)
    while end == nil {
      try fill()
      parse(&positions)
      if !positions.isEmpty { return true }
    }
    return false
  }

  /// Moves what is left to the front and reads on behind it.
  private func fill() throws(LogError) {
    let base = buffer.baseAddress.unsafelyUnwrapped
    if consumed > 0 {
      memmove(base, base + consumed, filled - consumed)
      filled -= consumed
      bufferOffset += Int64(consumed)
      consumed = 0
    }
    if let needed = bytesOfFirstRecord(), needed > buffer.count { grow(to: needed) }
    let free = UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
    let count = try file.read(into: free, at: bufferOffset + Int64(filled))
    filled += count
    if count < free.count { isAtFileEnd = true }
  }

  private var isAtFileEnd = false

  /// What the first record in the buffer takes, as far as its length is known and allowed.
  private func bytesOfFirstRecord() -> Int? {
    guard filled >= LogFormat.recordHeaderBytes else { return nil }
    let bodyBytes = Int(buffer.loadUnaligned(as: UInt32.self))
    guard bodyBytes <= LogFormat.maxBodyBytes else { return nil }
    return LogFormat.recordHeaderBytes + bodyBytes
  }

  private func grow(to bytes: Int) {
    let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes, alignment: 64)
    larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[..<filled]))
    buffer.deallocate()
    buffer = larger
  }

  private func parse(_ positions: inout [Position]) {
    let base = UnsafeRawPointer(buffer.baseAddress.unsafelyUnwrapped)
    while end == nil {
      let left = filled - consumed
      let record = base + consumed
      guard left >= LogFormat.recordHeaderBytes else { return endOfBuffer(left) }
      let bodyBytes = Int(record.loadUnaligned(as: UInt32.self))
      if bodyBytes > LogFormat.maxBodyBytes {
        return fail("a record of \(bodyBytes) bytes, where \(LogFormat.maxBodyBytes) is the most")
      }
      let bytes = LogFormat.recordHeaderBytes + bodyBytes
      guard left >= bytes else { return endOfBuffer(left) }
      let checksum = record.loadUnaligned(
        fromByteOffset: LogFormat.checksumOffset, as: UInt32.self)
      if LogFormat.checksum(unsafe: record, bodyBytes: bodyBytes) != checksum {
        return fail("a record does not match its checksum")
      }
      let sequence = record.loadUnaligned(
        fromByteOffset: LogFormat.sequenceOffset, as: UInt64.self)
      if sequence != nextSequence {
        return fail("the record of sequence \(nextSequence) is missing")
      }
      positions.append(
        Position(
          bodyOffset: consumed + LogFormat.recordHeaderBytes, bodyBytes: bodyBytes,
          kind: record.load(fromByteOffset: LogFormat.kindOffset, as: UInt8.self),
          fileOffset: nextOffset, sequence: sequence))
      consumed += bytes
      nextOffset += Int64(bytes)
      nextSequence &+= 1
    }
  }

  private func endOfBuffer(_ left: Int) {
    guard isAtFileEnd else { return }
    if left == 0 {
      end = .file
    } else {
      fail("the record is cut short")
    }
  }

  private func fail(_ reason: String) {
    end = .invalid(offset: nextOffset, reason: reason)
  }

  // MARK: Beyond damage

  /// The highest sequence that a mark from an offset on says was durable: behind damage the
  /// records' places are not known, so every place is looked at. 0: there is no mark.
  /// - Parameter storeID: whose marks count; `nil`: it is not known, and any mark does.
  static func highestMark(
    in file: borrowing DataFile, from offset: Int64, of storeID: StoreID?
  ) throws(LogError) -> UInt64 {
    let window = UnsafeMutableRawBufferPointer.allocate(byteCount: chunkBytes, alignment: 64)
    defer { window.deallocate() }
    var highest: UInt64 = 0
    var offset = offset
    while true {
      let count = try file.read(into: window, at: offset)
      let bytes = UnsafeRawBufferPointer(rebasing: window[..<count])
      highest = max(highest, highestMark(in: bytes, storeID))
      if count < window.count { return highest }
      // Windows overlap by a mark's length.
      offset += Int64(count - LogFormat.recordHeaderBytes - LogFormat.markBytes)
    }
  }

  private static func highestMark(
    in window: UnsafeRawBufferPointer, _ storeID: StoreID?
  ) -> UInt64 {
    // What is constant in a mark: of one store its ID, else its length.
    var needle: [UInt8]
    let needleOffset: Int
    if let storeID {
      needle = [UInt8](repeating: 0, count: StoreID.byteCount)
      needle.withUnsafeMutableBytes { storeID.write(unsafe: $0.baseAddress!) }
      needleOffset = LogFormat.recordHeaderBytes
    } else {
      needle = [UInt8(LogFormat.markBytes), 0, 0, 0]
      needleOffset = 0
    }
    guard let base = window.baseAddress else { return 0 }
    let markBytes = LogFormat.recordHeaderBytes + LogFormat.markBytes
    var highest: UInt64 = 0
    var from = needleOffset
    while from + needle.count <= window.count,
      let hit = clinux_find(base + from, window.count - from, needle, needle.count)
    {
      let start = (hit - base) - needleOffset
      from = start + needleOffset + 1
      guard start + markBytes <= window.count else { break }
      highest = max(highest, markSequence(base + start) ?? 0)
    }
    return highest
  }

  /// What a record says that is a mark, and whole.
  private static func markSequence(_ record: UnsafeRawPointer) -> UInt64? {
    let checksum = record.loadUnaligned(
      fromByteOffset: LogFormat.checksumOffset, as: UInt32.self)
    guard record.loadUnaligned(as: UInt32.self) == UInt32(LogFormat.markBytes),
      record.load(fromByteOffset: LogFormat.kindOffset, as: UInt8.self)
        == LogFormat.Kind.durableMark.rawValue,
      LogFormat.checksum(unsafe: record, bodyBytes: LogFormat.markBytes) == checksum
    else { return nil }
    return record.loadUnaligned(
      fromByteOffset: LogFormat.recordHeaderBytes + StoreID.byteCount, as: UInt64.self)
  }
}
