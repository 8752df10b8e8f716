#if canImport(Glibc)
  import Glibc
#endif

/// Why a data directory cannot be opened, read or written. File names are without their folder.
public enum LogError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The system refused an operation on a file.
  case system(operation: String, file: String, errno: Int32)
  /// Bytes that were durable are not what was written.
  case damaged(file: String, offset: Int64, reason: String)
  /// The file was written by a later version of Roost.
  case newerFormat(file: String, version: UInt32, supported: UInt32)
  /// A record of a kind that this version does not know.
  case unknownRecord(file: String, offset: Int64, kind: UInt8)
  /// The log does not go on where it must.
  case missingSegment(firstSequence: UInt64, before: String)
  /// A file of another store lies in the directory.
  case foreignFile(file: String)
  /// Another server has the directory open.
  case inUse(directory: String)
  /// No snapshot is being taken in this state.
  case notPossible(String)

  /// One line: what is wrong, and what to do.
  public var description: String {
    switch self {
    case .system(let operation, let file, let code):
      "\(operation) \(file): \(String(cString: strerror(code)))"
    case .damaged(let file, let offset, let reason):
      "\(file) is damaged at offset \(offset): \(reason); data that was durable would be lost:"
        + " restore a backup, or salvage what is valid with roostd repair DIR --into NEW"
    case .newerFormat(let file, let version, let supported):
      "\(file) has format version \(version), this version of roostd reads up to \(supported):"
        + " use the version that wrote it, or a later one"
    case .unknownRecord(let file, let offset, let kind):
      "\(file) has a record of the unknown kind \(kind) at offset \(offset): use the version of"
        + " roostd that wrote it, or a later one"
    case .missingSegment(let sequence, let before):
      "the log segment that begins at sequence \(sequence) is missing, before \(before): restore"
        + " the file, or salvage the rest with roostd repair DIR --into NEW"
    case .foreignFile(let file):
      "\(file) belongs to another store: one data directory holds one store"
    case .inUse(let directory):
      "\(directory) is in use by another roostd: stop it, or choose another --data-dir"
    case .notPossible(let reason): reason
    }
  }
}

/// Names one store; every file of a data directory carries it. Random.
public struct StoreID: Sendable, Hashable, CustomStringConvertible {
  /// What it takes in a file, in bytes.
  static let byteCount = 16

  let words: (UInt64, UInt64)

  /// A new one.
  static func random() -> StoreID {
    var generator = SystemRandomNumberGenerator()
    return StoreID(words: (generator.next(), generator.next()))
  }

  init(words: (UInt64, UInt64)) { self.words = words }

  /// Reads it, little-endian.
  /// - Parameter bytes: at least `byteCount`.
  init(unsafe bytes: UnsafeRawPointer) {
    words = (
      UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self)),
      UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    )
  }

  /// Writes it, little-endian.
  func write(unsafe target: UnsafeMutableRawPointer) {
    target.storeBytes(of: words.0.littleEndian, as: UInt64.self)
    target.storeBytes(of: words.1.littleEndian, toByteOffset: 8, as: UInt64.self)
  }

  public static func == (left: StoreID, right: StoreID) -> Bool { left.words == right.words }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(words.0)
    hasher.combine(words.1)
  }

  /// 32 hexadecimal digits.
  public var description: String { Hex.text(words.0) + Hex.text(words.1) }
}

/// Fixed-width hexadecimal numbers, as file names have them.
enum Hex {
  /// 16 digits, in lower case.
  static func text(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  /// The value of exactly 16 digits in lower case.
  static func parse(_ text: some StringProtocol) -> UInt64? {
    guard text.utf8.count == 16,
      text.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) })
    else { return nil }
    return UInt64(text, radix: 16)
  }
}
