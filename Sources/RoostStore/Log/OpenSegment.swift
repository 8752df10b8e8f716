import CLinux

#if canImport(Glibc)
  import Glibc
#endif

/// The segment that is written to. Guarded by its writer's lock; a retired one belongs to whoever
/// syncs it for the last time.
///
/// 1. `endOffset <= reservedEnd`, unless the file system cannot reserve.
/// 2. What lies below `endOffset` are whole records.
final class OpenSegment {
  /// Reserved at once, or less where the disk has less.
  private static let reserveStepBytes: Int64 = 4 << 20
  private static let minReserveStepBytes: Int64 = 64 << 10

  let file: DataFile
  let firstSequence: UInt64
  private(set) var endOffset: Int64
  private var reservedEnd: Int64
  /// Whether the file system reserves room ahead.
  private(set) var canReserve = true

  /// Makes a new segment. The folder is to be synced before it counts.
  init(
    in folder: borrowing DataFolder, storeID: StoreID, firstSequence: UInt64
  ) throws(LogError) {
    let name = LogFormat.segmentName(firstSequence: firstSequence)
    file = try DataFile(folder, name, flags: O_RDWR | O_CREAT | O_EXCL)
    self.firstSequence = firstSequence
    endOffset = Int64(LogFormat.segmentHeaderBytes)
    reservedEnd = endOffset
    let header = SegmentHeader(storeID: storeID, firstSequence: firstSequence).encoded
    let result = header.withUnsafeBytes { bytes -> Result<Void, LogError> in
      do throws(LogError) { return .success(try file.write(bytes, at: 0)) } catch {
        return .failure(error)
      }
    }
    if case .failure(let error) = result {
      try? folder.remove(name)
      throw error
    }
  }

  /// Goes on with a segment that was recovered, at its end; what lies behind is cut off.
  init(
    in folder: borrowing DataFolder, firstSequence: UInt64, endOffset: Int64
  ) throws(LogError) {
    file = try DataFile(
      folder, LogFormat.segmentName(firstSequence: firstSequence), flags: O_RDWR)
    self.firstSequence = firstSequence
    self.endOffset = endOffset
    reservedEnd = endOffset
    try file.truncate(to: endOffset)
  }

  /// Room that is reserved behind the end.
  var reservedBytes: Int { canReserve ? Int(reservedEnd - endOffset) : Int.max / 4 }

  /// Reserves more room behind the end, until there are `bytes` or the disk has no more.
  /// - Returns: an errno where the disk has no more; 0 else.
  func reserve(_ bytes: Int) -> Int32 {
    while canReserve, reservedBytes < bytes {
      var step = Self.reserveStepBytes
      while true {
        let code = clinux_reserve(file.descriptor, reservedEnd, step)
        if code == 0 { break }
        if code == EOPNOTSUPP || code == ENOSYS {
          canReserve = false
          return 0
        }
        if code == EINTR { continue }
        step /= 2
        if step < Self.minReserveStepBytes { return code }
      }
      reservedEnd += step
    }
    return 0
  }

  func append(_ bytes: UnsafeRawBufferPointer) throws(LogError) {
    try file.write(bytes, at: endOffset)
    endOffset += Int64(bytes.count)
    reservedEnd = max(reservedEnd, endOffset)
  }

  /// Cuts off what a write that failed may have left, and gives back room that is not needed.
  func cutTail() throws(LogError) {
    try file.truncate(to: endOffset)
    reservedEnd = endOffset
  }
}

/// What a segment begins with.
struct SegmentHeader {
  var storeID: StoreID
  var firstSequence: UInt64

  init(storeID: StoreID, firstSequence: UInt64) {
    self.storeID = storeID
    self.firstSequence = firstSequence
  }

  var encoded: [UInt8] {
    [UInt8](unsafeUninitializedCapacity: LogFormat.segmentHeaderBytes) { buffer, count in
      let base = UnsafeMutableRawPointer(buffer.baseAddress!)
      base.storeBytes(of: LogFormat.segmentMagic, as: UInt64.self)
      base.storeBytes(of: LogFormat.version, toByteOffset: 8, as: UInt32.self)
      base.storeBytes(
        of: UInt32(LogFormat.segmentHeaderBytes), toByteOffset: 12, as: UInt32.self)
      storeID.write(unsafe: base + 16)
      base.storeBytes(of: firstSequence, toByteOffset: 32, as: UInt64.self)
      base.storeBytes(of: clinux_crc32c(0, base, 40), toByteOffset: 40, as: UInt32.self)
      count = LogFormat.segmentHeaderBytes
    }
  }

  /// What is wrong with bytes that should be a header.
  enum Fault: Error {
    case cutShort
    case damaged(String)
    case newer(UInt32)
  }

  /// Reads a header.
  init(decoding bytes: UnsafeRawBufferPointer) throws(Fault) {
    guard bytes.count >= LogFormat.segmentHeaderBytes, let base = bytes.baseAddress else {
      throw .cutShort
    }
    guard base.loadUnaligned(as: UInt64.self) == LogFormat.segmentMagic else {
      throw .damaged("this is no segment of a Roost log")
    }
    let version = base.loadUnaligned(fromByteOffset: 8, as: UInt32.self)
    let headerBytes = base.loadUnaligned(fromByteOffset: 12, as: UInt32.self)
    let checksum = base.loadUnaligned(fromByteOffset: 40, as: UInt32.self)
    let isIntact = clinux_crc32c(0, base, 40) == checksum
    if isIntact, version > LogFormat.version { throw .newer(version) }
    guard isIntact, version == LogFormat.version,
      headerBytes == UInt32(LogFormat.segmentHeaderBytes)
    else { throw .damaged("the segment's header does not match its checksum") }
    storeID = StoreID(unsafe: base + 16)
    firstSequence = base.loadUnaligned(fromByteOffset: 32, as: UInt64.self)
  }
}
