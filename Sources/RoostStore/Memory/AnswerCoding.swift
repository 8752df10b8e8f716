#if canImport(Glibc)
  import Glibc
#endif

// Results as the answers of idempotency keys keep them. A result begins with its kind. Numbers are
// varints, signed ones in zigzag; lengths stand before their bytes. The revision of the command
// itself is left out: it is that of the record.

/// What a kept result begins with.
enum KeptResultKind: UInt8 {
  case set = 1
  case delete = 2
  case increment = 3
  case push = 4
  case pop = 5
  /// A transaction's step only.
  case get = 6
  case touch = 7
  case deleteRange = 8
  case transact = 9
}

/// A result that an idempotency key can keep.
protocol KeptResult {
  /// What `write` writes, at most, in bytes.
  var maxKeptBytes: Int { get }
  /// Writes the result. Its revision is not known yet.
  func write(to writer: inout AnswerWriter)
  /// Reads what `write` wrote, and charges it to the reply, whose it is then.
  static func read(_ reader: inout AnswerReader) throws(StoreError) -> Self
  /// Puts in the revision of the command.
  mutating func settle(_ revision: Int64)
}

/// Writes a kept result. The room was computed before.
struct AnswerWriter {
  /// A varint's longest.
  static let numberBytes = 10

  private(set) var position: UnsafeMutableRawPointer
  private let end: UnsafeMutableRawPointer

  init(unsafe target: UnsafeMutableRawPointer, room: Int) {
    position = target
    end = target + room
  }

  mutating func put(_ byte: UInt8) {
    precondition(position < end, "a result that is longer than it said")
    position.storeBytes(of: byte, as: UInt8.self)
    position += 1
  }

  mutating func write(_ kind: KeptResultKind) { put(kind.rawValue) }
  mutating func write(_ flag: Bool) { put(flag ? 1 : 0) }

  mutating func write(varint value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      put(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest &>>= 7
    }
    put(UInt8(truncatingIfNeeded: rest))
  }

  mutating func write(_ value: Int64) {
    write(varint: UInt64(bitPattern: value &<< 1 ^ value &>> 63))
  }

  mutating func write(count: Int) { write(varint: UInt64(count)) }

  /// A revision that is known, or the command's own.
  mutating func write(revision: Int64) {
    write(varint: revision == UndoLog.provisionalRevision ? 0 : UInt64(revision) + 1)
  }

  /// Bytes as they are.
  mutating func append(_ bytes: UnsafeRawBufferPointer) {
    precondition(end - position >= bytes.count, "a result that is longer than it said")
    if let source = bytes.baseAddress { memcpy(position, source, bytes.count) }
    position += bytes.count
  }

  mutating func write(_ bytes: UnsafeRawBufferPointer) {
    write(count: bytes.count)
    append(bytes)
  }
}

/// Reads a kept result out of a copy that the reply has. Whatever the bytes are, it reads nothing
/// beyond them; what cannot be a result is `StoreError.dataLoss`.
struct AnswerReader {
  let reply: ReplyArena
  /// The command's.
  let revision: Int64
  private var bytes: UnsafeRawBufferPointer

  /// - Parameter bytes: are copied.
  init(_ bytes: UnsafeRawBufferPointer, revision: Int64, _ reply: ReplyArena) {
    self.reply = reply
    self.revision = revision
    self.bytes = reply.copy(bytes)
  }

  static var fault: StoreError { .dataLoss("the answer of an idempotency key cannot be read") }

  /// Reads a whole result.
  static func result<Result: KeptResult>(
    of bytes: UnsafeRawBufferPointer, revision: Int64, _ reply: ReplyArena
  ) throws(StoreError) -> Result {
    var reader = AnswerReader(bytes, revision: revision, reply)
    let result = try Result.read(&reader)
    guard reader.bytes.isEmpty else { throw fault }
    return result
  }

  mutating func readByte() throws(StoreError) -> UInt8 {
    guard let byte = bytes.first else { throw Self.fault }
    bytes = UnsafeRawBufferPointer(rebasing: bytes[1...])
    return byte
  }

  mutating func readFlag() throws(StoreError) -> Bool {
    let byte = try readByte()
    guard byte < 2 else { throw Self.fault }
    return byte == 1
  }

  /// What comes next.
  func peekKind() throws(StoreError) -> KeptResultKind {
    guard let byte = bytes.first, let kind = KeptResultKind(rawValue: byte) else {
      throw Self.fault
    }
    return kind
  }

  mutating func expect(_ kind: KeptResultKind) throws(StoreError) {
    guard try peekKind() == kind else { throw Self.fault }
    _ = try readByte()
  }

  mutating func readVarint() throws(StoreError) -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 64, by: 7) {
      let byte = try readByte()
      // The tenth byte has one bit to give.
      if shift == 63, byte > 1 { throw Self.fault }
      value |= UInt64(byte & 0x7f) << shift
      if byte < 0x80 { return value }
    }
    throw Self.fault
  }

  mutating func readNumber() throws(StoreError) -> Int64 {
    let value = try readVarint()
    return Int64(bitPattern: value &>> 1) ^ -Int64(bitPattern: value & 1)
  }

  mutating func readRevision() throws(StoreError) -> Int64 {
    let value = try readVarint()
    if value == 0 { return revision }
    guard value - 1 < UInt64(UndoLog.provisionalRevision) else { throw Self.fault }
    return Int64(value - 1)
  }

  /// A number of things of which each takes `bytesEach` or more.
  mutating func readCount(bytesEach: Int = 1) throws(StoreError) -> Int {
    let value = try readVarint()
    guard value <= UInt64(bytes.count / bytesEach) else { throw Self.fault }
    return Int(value)
  }

  mutating func readBytes() throws(StoreError) -> UnsafeRawBufferPointer {
    try take(try readCount())
  }

  /// The next bytes as they are.
  mutating func take(_ count: Int) throws(StoreError) -> UnsafeRawBufferPointer {
    guard bytes.count >= count else { throw Self.fault }
    defer { bytes = UnsafeRawBufferPointer(rebasing: bytes[count...]) }
    return UnsafeRawBufferPointer(rebasing: bytes[..<count])
  }
}

// MARK: Items, values and entries

extension AnswerWriter {
  static func maxBytes(_ items: UnsafeBufferPointer<ByteSlice>) -> Int {
    items.reduce(numberBytes) { $0 + $1.count + numberBytes }
  }

  mutating func write(_ items: UnsafeBufferPointer<ByteSlice>) {
    write(count: items.count)
    for item in items { write(item.bytes) }
  }

  static func maxBytes(_ value: ValueRef) -> Int {
    switch value {
    case .bytes(let bytes), .text(let bytes): 1 + numberBytes + bytes.count
    case .int, .double, .bool: 1 + numberBytes
    case .list(let items): 1 + maxBytes(items)
    }
  }

  mutating func write(_ value: ValueRef) {
    put(value.kind.rawValue)
    switch value {
    case .bytes(let bytes), .text(let bytes): write(bytes)
    case .int(let int): write(int)
    case .double(let double): withUnsafeBytes(of: double.bitPattern.littleEndian) { append($0) }
    case .bool(let bool): write(bool)
    case .list(let items): write(items)
    }
  }

  /// An entry is a byte, 0: there is none; 1: without a value; 2: with one; 3: with one left out;
  /// and then its numbers, and its value.
  static func maxBytes(_ entry: EntryRef?) -> Int {
    guard let entry else { return 1 }
    return 1 + 6 * numberBytes + (entry.value.map { maxBytes($0) } ?? 0)
  }

  mutating func write(_ entry: EntryRef?) {
    guard let entry else { return put(0) }
    put(entry.valueOmitted ? 3 : entry.value == nil ? 1 : 2)
    write(revision: entry.revision)
    write(revision: entry.createRevision)
    write(entry.version)
    write(entry.createdAtMillis)
    write(entry.updatedAtMillis)
    write(entry.expiresAtMillis)
    if let value = entry.value { write(value) }
  }
}

extension AnswerReader {
  /// Items, charged to the reply.
  mutating func readItems() throws(StoreError) -> UnsafeBufferPointer<ByteSlice> {
    let count = try readCount()
    let items = reply.allocate(count * MemoryLayout<ByteSlice>.stride)
      .bindMemory(to: ByteSlice.self, capacity: count)
    for index in 0..<count {
      let item = try readBytes()
      try reply.charge(ReplyCost.item(item.count))
      (items + index).initialize(to: ByteSlice(item))
    }
    return UnsafeBufferPointer(start: items, count: count)
  }

  private mutating func readValue() throws(StoreError) -> ValueRef {
    guard let kind = ValueKind(rawValue: try readByte()) else { throw Self.fault }
    switch kind {
    case .bytes: return .bytes(try readScalarBytes())
    case .text: return .text(try readScalarBytes())
    case .int: return .int(try readNumber())
    case .double:
      let bits = try take(8).loadUnaligned(as: UInt64.self)
      return .double(Double(bitPattern: UInt64(littleEndian: bits)))
    case .bool: return .bool(try readFlag())
    case .list: return .list(try readItems())
    }
  }

  private mutating func readScalarBytes() throws(StoreError) -> UnsafeRawBufferPointer {
    let bytes = try readBytes()
    try reply.charge(bytes.count + 3)
    return bytes
  }

  /// An entry, charged to the reply.
  mutating func readEntry() throws(StoreError) -> EntryRef? {
    let form = try readByte()
    if form == 0 { return nil }
    guard form <= 3 else { throw Self.fault }
    try reply.charge(ReplyCost.entry)
    var entry = EntryRef()
    entry.valueOmitted = form == 3
    entry.revision = try readRevision()
    entry.createRevision = try readRevision()
    entry.version = try readNumber()
    entry.createdAtMillis = try readNumber()
    entry.updatedAtMillis = try readNumber()
    entry.expiresAtMillis = try readNumber()
    if form == 2 { entry.value = try readValue() }
    return entry
  }
}
