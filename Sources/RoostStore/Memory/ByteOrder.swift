import Glibc

/// Comparisons of keys, as bytes.
enum ByteOrder {
  /// Whether two stretches of `count` bytes are equal. For short ones faster than a call.
  @inline(__always)
  static func equal(_ left: UnsafeRawPointer, _ right: UnsafeRawPointer, _ count: Int) -> Bool {
    if count > 64 { return memcmp(left, right, count) == 0 }
    var offset = 0
    while offset &+ 8 <= count {
      let a = left.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      let b = right.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      if a != b { return false }
      offset &+= 8
    }
    if offset == count { return true }
    if count >= 8 {
      let a = left.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
      let b = right.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
      return a == b
    }
    while offset < count {
      let a = left.load(fromByteOffset: offset, as: UInt8.self)
      let b = right.load(fromByteOffset: offset, as: UInt8.self)
      if a != b { return false }
      offset &+= 1
    }
    return true
  }

  /// Negative, zero or positive: byte by byte, a prefix before what it begins.
  @inline(__always)
  static func compare(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
    let common = min(left.count, right.count)
    if common > 0, let a = left.baseAddress, let b = right.baseAddress {
      let order = memcmp(a, b, common)
      if order != 0 { return Int(order) }
    }
    return left.count &- right.count
  }

  /// Whether `key` begins with `prefix`.
  @inline(__always)
  static func begins(_ key: UnsafeRawBufferPointer, with prefix: UnsafeRawBufferPointer) -> Bool {
    guard prefix.count > 0 else { return true }
    guard key.count >= prefix.count, let a = key.baseAddress, let b = prefix.baseAddress else {
      return false
    }
    return memcmp(a, b, prefix.count) == 0
  }
}
