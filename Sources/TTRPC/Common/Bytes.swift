#if canImport(Glibc)
  import Glibc
#endif

extension UnsafeRawBufferPointer {
  /// Whether these are the first bytes, or all.
  @inline(__always)
  func begins(with prefix: UnsafeRawBufferPointer) -> Bool {
    count >= prefix.count
      && UnsafeRawBufferPointer(start: baseAddress, count: prefix.count).isSame(as: prefix)
  }

  /// Whether both hold the same bytes.
  @inline(__always)
  func isSame(as other: UnsafeRawBufferPointer) -> Bool {
    guard count == other.count else { return false }
    guard count > 0 else { return true }
    return memcmp(baseAddress.unsafelyUnwrapped, other.baseAddress.unsafelyUnwrapped, count) == 0
  }
}
