/// The keyed hash of the table, after wyhash (public domain, Wang Yi): 64 x 64 -> 128 bit
/// multiplications whose halves are folded. Both words are random for each engine, so that
/// keys which collide cannot be chosen from outside.
struct KeyHasher {
  let seed: UInt64
  let secret: UInt64

  init() {
    var random = SystemRandomNumberGenerator()
    self.init(seed: random.next(), secret: random.next())
  }

  init(seed: UInt64, secret: UInt64) {
    self.seed = seed
    self.secret = secret
  }

  /// `count` is at least 1.
  @inline(__always)
  func hash(_ key: UnsafeRawPointer, _ count: Int) -> UInt64 {
    var low: UInt64
    var high: UInt64
    var state = seed
    if count <= 16 {
      if count >= 4 {
        let middle = (count >> 3) << 2
        low = word32(key, 0) << 32 | word32(key, middle)
        high = word32(key, count &- 4) << 32 | word32(key, count &- 4 &- middle)
      } else {
        low = byte(key, 0) << 16 | byte(key, count >> 1) << 8 | byte(key, count &- 1)
        high = 0
      }
    } else {
      var left = count
      var offset = 0
      while left > 16 {
        state = fold(word64(key, offset) ^ secret, word64(key, offset &+ 8) ^ state)
        left &-= 16
        offset &+= 16
      }
      low = word64(key, count &- 16)
      high = word64(key, count &- 8)
    }
    return fold(secret ^ UInt64(truncatingIfNeeded: count), fold(low ^ secret, high ^ state))
  }

  @inline(__always) private func fold(_ left: UInt64, _ right: UInt64) -> UInt64 {
    let product = left.multipliedFullWidth(by: right)
    return product.low ^ product.high
  }

  @inline(__always) private func word64(_ key: UnsafeRawPointer, _ offset: Int) -> UInt64 {
    key.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
  }

  @inline(__always) private func word32(_ key: UnsafeRawPointer, _ offset: Int) -> UInt64 {
    UInt64(key.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
  }

  @inline(__always) private func byte(_ key: UnsafeRawPointer, _ offset: Int) -> UInt64 {
    UInt64(key.load(fromByteOffset: offset, as: UInt8.self))
  }
}
