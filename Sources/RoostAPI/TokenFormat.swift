/// How a token is written: `roost_<id>_<secret><checksum>`, 64 ASCII bytes, without a character
/// that ends a word, so that it is selected and pasted whole.
///
/// * The ID, 8 characters of Crockford's base32 in lower case (no i, l, o, u), is public.
/// * The secret, 43 characters of base62, has 256 random bits.
/// * The checksum, 6 characters of base62 with leading zeros, is the CRC-32 (IEEE 802.3) of
///   `<id>_<secret>`: it tells a typing error from a wrong token without asking the server. It
///   protects nothing.
public enum TokenFormat {
  /// The length of every token, in bytes.
  public static let byteCount = 64
  /// The length of a token's public part, in bytes.
  public static let idByteCount = 8

  /// Why a text cannot be a token.
  public enum Defect: Error, Sendable, Hashable {
    /// There is nothing.
    case empty
    /// It does not begin like a token.
    case notAToken
    /// It is shorter or longer than a token, by so many bytes.
    case length(Int)
    /// It has a character that no token has.
    case character
    /// The checksum says that a character is another one, or in another place.
    case checksum
  }

  static let idRange = 6..<14
  static let separatorOffset = 14
  static let secretRange = 15..<58
  static let checksumRange = 58..<64
  private static let idAlphabet = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)
  private static let secretAlphabet = Array(
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

  /// What is wrong with a token's text as such; `nil` where it may be a token. The time that this
  /// takes depends on the text.
  public static func defect(_ token: UnsafeRawBufferPointer) -> Defect? {
    if token.isEmpty { return .empty }
    guard token.count >= 6, token.starts(with: "roost_".utf8) else { return .notAToken }
    guard token.count == byteCount else { return .length(token.count - byteCount) }
    for index in idRange where !isIDCharacter(token[index]) { return .character }
    if token[separatorOffset] != UInt8(ascii: "_") { return .character }
    for index in secretRange.lowerBound..<byteCount where !isBase62(token[index]) {
      return .character
    }
    var check = checksum(UnsafeRawBufferPointer(rebasing: token[6..<58]))
    for index in checksumRange.reversed() {
      if token[index] != secretAlphabet[Int(check % 62)] { return .checksum }
      check /= 62
    }
    return nil
  }

  /// What is wrong with a token's text as such; `nil` where it may be a token.
  public static func defect(_ token: String) -> Defect? {
    var token = token
    return token.withUTF8 { defect(UnsafeRawBufferPointer($0)) }
  }

  /// Whether `id` has the form of a token's public part.
  public static func isID(_ id: String) -> Bool {
    id.utf8.count == idByteCount && id.utf8.allSatisfy(isIDCharacter)
  }

  /// A new token. `generator` has to be fit for secrets, as `SystemRandomNumberGenerator` is.
  public static func make(using generator: inout some RandomNumberGenerator) -> String {
    var bytes = Array("roost_".utf8)
    bytes.reserveCapacity(byteCount)
    for _ in idRange { bytes.append(idAlphabet.randomElement(using: &generator)!) }
    bytes.append(UInt8(ascii: "_"))
    for _ in secretRange { bytes.append(secretAlphabet.randomElement(using: &generator)!) }
    var check = bytes.withUnsafeBytes {
      checksum(UnsafeRawBufferPointer(rebasing: $0[6..<58]))
    }
    var digits: [UInt8] = []
    for _ in checksumRange {
      digits.append(secretAlphabet[Int(check % 62)])
      check /= 62
    }
    bytes.append(contentsOf: digits.reversed())
    return String(decoding: bytes, as: UTF8.self)
  }

  /// CRC-32 with the polynomial of IEEE 802.3, reflected.
  static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    var crc = UInt32.max
    for byte in bytes {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = (crc >> 1) ^ (0xEDB8_8320 & (0 &- (crc & 1))) }
    }
    return ~crc
  }

  private static func isIDCharacter(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): true
    case UInt8(ascii: "i"), UInt8(ascii: "l"), UInt8(ascii: "o"), UInt8(ascii: "u"): false
    case UInt8(ascii: "a")...UInt8(ascii: "z"): true
    default: false
    }
  }

  private static func isBase62(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "a")...UInt8(ascii: "z"):
      true
    default: false
    }
  }
}

extension TokenFormat.Defect: CustomStringConvertible {
  /// What is wrong, without a part of the token.
  public var description: String {
    switch self {
    case .empty: "the token is empty"
    case .notAToken: "this is not a token: one begins with roost_"
    case .length(let difference) where difference < 0:
      "the token is cut: \(-difference) characters are missing"
    case .length(let difference): "the token is \(difference) characters too long"
    case .character: "the token has a character that no token has"
    case .checksum: "the token is mistyped: its checksum is another"
    }
  }
}
