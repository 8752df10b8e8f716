import CZstd

#if canImport(Glibc)
  import Glibc
#endif

/// Memory for a block's bytes that is used again for the next block. One owner at a time.
struct SnapshotBuffer: ~Copyable {
  /// More than this is given back when a smaller block follows.
  static let retainedBytes = 1 << 20

  private(set) var bytes = UnsafeMutableRawBufferPointer(start: nil, count: 0)

  deinit { free(bytes.baseAddress) }

  /// At least `count` bytes; what was in it is gone.
  /// - Parameter count: bounded by the caller.
  mutating func reserve(_ count: Int, for file: String) throws(LogError) {
    let isEnough = bytes.count >= count
    if isEnough && (bytes.count <= Self.retainedBytes || count > Self.retainedBytes) { return }
    free(bytes.baseAddress)
    bytes = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    guard let memory = malloc(max(1, count)) else {
      throw .system(operation: "allocate \(count) bytes for", file: file, errno: ENOMEM)
    }
    bytes = UnsafeMutableRawBufferPointer(start: memory, count: count)
  }

  /// The first `count` bytes, to read.
  func unsafePrefix(_ count: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: bytes[..<count])
  }
}

/// Compresses blocks with zstd. Confined to one thread.
struct SnapshotCompressor: ~Copyable {
  private let context: OpaquePointer

  init() throws(LogError) {
    guard let context = ZSTD_createCCtx() else {
      throw .system(operation: "compress", file: SnapshotFormat.temporaryName, errno: ENOMEM)
    }
    self.context = context
  }

  deinit { ZSTD_freeCCtx(context) }

  /// - Parameter target: `SnapshotFormat.maxStoredBytes` of the source.
  /// - Returns: the bytes written to `target`.
  func compress(
    _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
  ) throws(LogError) -> Int {
    let count = ZSTD_compressCCtx(
      context, target.baseAddress, target.count, source.baseAddress, source.count,
      SnapshotFormat.compressionLevel)
    if ZSTD_isError(count) != 0 {
      // With a target of this size only memory can be missing.
      throw .system(operation: "compress", file: SnapshotFormat.temporaryName, errno: ENOMEM)
    }
    return count
  }
}

/// Expands blocks with zstd. Confined to one thread.
struct SnapshotExpander: ~Copyable {
  private let context: OpaquePointer

  init(for file: String) throws(LogError) {
    guard let context = ZSTD_createDCtx() else {
      throw .system(operation: "decompress", file: file, errno: ENOMEM)
    }
    self.context = context
  }

  deinit { ZSTD_freeDCtx(context) }

  /// - Returns: nil, or the reason where `source` does not expand to exactly `target`.
  func expand(
    _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
  ) -> String? {
    let count = ZSTD_decompressDCtx(
      context, target.baseAddress, target.count, source.baseAddress, source.count)
    if ZSTD_isError(count) != 0 { return "zstd: \(String(cString: ZSTD_getErrorName(count)))" }
    if count != target.count { return "the block expands to \(count) bytes of \(target.count)" }
    return nil
  }
}
