import CLinux

/// The log's files as they are on the disk; see <doc:LogFormat>. Reader and writer share what
/// is here. All numbers are little-endian.
enum LogFormat {
  /// The newest version of the format that this code reads, and the one that it writes.
  static let version: UInt32 = 1

  // MARK: Segments

  static let segmentMagic: UInt64 = 0x474f_4c54_534f_4f52  // "ROOSTLOG"
  /// Of a segment's header: magic u64, format version u32, header bytes u32, store ID, first
  /// sequence u64, CRC-32C u32 over all before it.
  static let segmentHeaderBytes = 44
  private static let segmentPrefix = "log-"

  /// Names are in the order of the sequences.
  static func segmentName(firstSequence: UInt64) -> String {
    segmentPrefix + Hex.text(firstSequence)
  }

  /// The first sequence of a segment's name; `nil` for any other name.
  static func firstSequence(ofSegment name: String) -> UInt64? {
    name.hasPrefix(segmentPrefix) ? Hex.parse(name.dropFirst(segmentPrefix.count)) : nil
  }

  // MARK: Records

  /// Before a record's body: length of the body u32; CRC-32C u32 over the length, and all from
  /// the sequence to the body's end; sequence u64; kind u8.
  static let recordHeaderBytes = 17
  static let checksumOffset = 4
  static let sequenceOffset = 8
  static let kindOffset = 16
  /// The most that a body may have. A request is at most 4 MiB; a transaction adds its records'
  /// headers, an idempotent one its answer of up to 4 MiB.
  static let maxBodyBytes = 16 << 20

  /// No store has a revision from this on: a million changes a second reach it in 36,000 years.
  static let maxRevision: Int64 = 1 << 60

  /// What a record says. Numbers are never reused.
  enum Kind: UInt8 {
    /// An entry as it is now: an image.
    case put = 1
    /// A key is gone: revision i64, key bytes u16, key.
    case delete = 2
    /// The same, because its time was up.
    case expire = 3
    /// When an entry ends: a change of the entry.
    case touch = 4
    /// Items were added to a list, and others cut off at its other end: a change of the entry.
    case push = 5
    /// Items were taken from a list: a change of the entry.
    case pop = 6
    /// The keys of a range are gone: revision i64, bytes u16 of prefix, start and end, these.
    case deleteRange = 7
    /// Changes that happen together: revision i64, number of changes u32, and for each its kind
    /// u8, its bytes u32, and its body. A revision of `Int64.max` in one is the group's.
    case group = 8
    /// As `group`, and how the call was answered: revision i64, bytes of the answer u32, the
    /// answer, and on as in `group`.
    case answeredGroup = 9
    /// Everything up to a sequence was durable when this was written: store ID, sequence u64.
    case durableMark = 10
    /// Revisions up to this may have been issued: i64.
    case revisionLimit = 11
  }

  // MARK: Images

  /// Of an entry's image, before the key and the value: revision i64; revision of creation i64;
  /// created u48, key bytes u16; updated u48, kind u8, zero u8; expiry u48, version's high u16;
  /// version's low u32, value bytes u32. Times are Unix milliseconds; expiry 0: never. A list's
  /// value is its number of items u32, and for each its bytes u32 and the item.
  static let imageHeaderBytes = Record.headerBytes

  // MARK: Changes of an entry

  /// Before the key and the items: revision i64, the entry's revision before i64, its version
  /// i64, updated i64, expiry i64, key bytes u16, side u8, zero u8, items u32 (pushed, with bytes
  /// behind the key, or popped), items cut off u32.
  static let changeHeaderBytes = 52
  enum ChangeOffset {
    static let revision = 0
    static let base = 8
    static let version = 16
    static let updated = 24
    static let expires = 32
    static let keyBytes = 40
    static let side = 42
    static let itemCount = 44
    static let trimCount = 48
  }

  static let markBytes = StoreID.byteCount + 8

  /// CRC-32C of a record whose body has the bytes that its header says.
  static func checksum(unsafe record: UnsafeRawPointer, bodyBytes: Int) -> UInt32 {
    let length = clinux_crc32c(0, record, checksumOffset)
    return clinux_crc32c(
      length, record + sequenceOffset, recordHeaderBytes - sequenceOffset + bodyBytes)
  }
}
