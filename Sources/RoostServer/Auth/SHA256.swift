import CCrypto

/// SHA-256 (FIPS 180-4), by OpenSSL's libcrypto. Of one thread at a time.
struct SHA256: ~Copyable {
  static let byteCount = 32
  typealias Digest = [32 of UInt8]

  private let context: OpaquePointer

  init() {
    guard let context = EVP_MD_CTX_new() else { fatalError("out of memory: a hash") }
    self.context = context
    Self.check(EVP_DigestInit_ex2(context, Algorithm.shared.pointer, nil))
  }

  deinit { EVP_MD_CTX_free(context) }

  mutating func update(_ bytes: UnsafeRawBufferPointer) {
    Self.check(EVP_DigestUpdate(context, bytes.baseAddress, bytes.count))
  }

  consuming func finish() -> Digest {
    var digest = Digest(repeating: 0)
    withUnsafeMutableBytes(of: &digest) { target in
      Self.check(EVP_DigestFinal_ex(context, target.baseAddress, nil))
    }
    return digest
  }

  static func digest(_ bytes: UnsafeRawBufferPointer) -> Digest {
    var hash = SHA256()
    hash.update(bytes)
    return hash.finish()
  }

  /// None of these can fail for an algorithm that is there, but for memory.
  private static func check(_ status: CInt) {
    guard status == 1 else { fatalError("libcrypto cannot hash with SHA-256") }
  }

  /// Looked up once: each look-up by name would take longer than hashing a token.
  ///
  /// `@unchecked Sendable`: what it points to is never changed or freed.
  private struct Algorithm: @unchecked Sendable {
    static let shared = Algorithm()
    let pointer: OpaquePointer

    init() {
      guard let pointer = EVP_MD_fetch(nil, "SHA256", nil) else {
        fatalError("libcrypto has no SHA-256: see OpenSSL's configuration")
      }
      self.pointer = pointer
    }
  }
}
