#if canImport(Glibc)
  import Glibc
#endif

/// A record's body, read and checked; borrowed from the bytes that it was read from.
enum LoggedChange {
  case put(EntryImage)
  /// - Parameter revision: `Int64.max` in a group: the group's.
  case delete(key: UnsafeRawBufferPointer, revision: Int64)
  case touch(LoggedEntryChange)
  case push(LoggedEntryChange)
  case pop(LoggedEntryChange)
  case deleteRange(KeyRangeRef, revision: Int64)
  case group(LoggedGroup)
  case durableMark(StoreID, sequence: UInt64)
  case revisionLimit(Int64)

  /// Why a body cannot be what its kind says. Its checksum is right, so this is a fault of the
  /// writer or a forged file.
  struct Fault: Error {
    let reason: String
    init(_ reason: String) { self.reason = reason }
  }

  /// Reads a body.
  init(_ kind: LogFormat.Kind, _ body: UnsafeRawBufferPointer) throws(Fault) {
    switch kind {
    case .put: self = .put(try EntryImage(whole: body))
    case .delete, .expire: self = try Self.readDeletion(body)
    case .touch: self = .touch(try LoggedEntryChange(body, kind))
    case .push: self = .push(try LoggedEntryChange(body, kind))
    case .pop: self = .pop(try LoggedEntryChange(body, kind))
    case .deleteRange: self = try Self.readRange(body)
    case .group: self = .group(try LoggedGroup(body, hasAnswer: false))
    case .answeredGroup: self = .group(try LoggedGroup(body, hasAnswer: true))
    case .durableMark:
      guard body.count == LogFormat.markBytes, let base = body.baseAddress else {
        throw Fault("a mark of \(body.count) bytes")
      }
      let sequence = base.loadUnaligned(fromByteOffset: StoreID.byteCount, as: UInt64.self)
      self = .durableMark(StoreID(unsafe: base), sequence: sequence)
    case .revisionLimit:
      guard body.count == 8 else { throw Fault("a limit of \(body.count) bytes") }
      self = .revisionLimit(body.loadUnaligned(as: Int64.self))
    }
  }

  private static func readDeletion(
    _ body: UnsafeRawBufferPointer
  ) throws(Fault) -> LoggedChange {
    guard body.count > 10 else { throw Fault("a deletion of \(body.count) bytes") }
    let keyBytes = Int(body.loadUnaligned(fromByteOffset: 8, as: UInt16.self))
    guard body.count == 10 + keyBytes else { throw Fault("a key that does not fit") }
    return .delete(
      key: UnsafeRawBufferPointer(rebasing: body[10...]),
      revision: body.loadUnaligned(as: Int64.self))
  }

  private static func readRange(_ body: UnsafeRawBufferPointer) throws(Fault) -> LoggedChange {
    guard body.count >= 14 else { throw Fault("a range of \(body.count) bytes") }
    var parts: [UnsafeRawBufferPointer] = []
    var offset = 14
    for index in 0..<3 {
      let count = Int(body.loadUnaligned(fromByteOffset: 8 + 2 * index, as: UInt16.self))
      guard body.count - offset >= count else { throw Fault("a range that does not fit") }
      parts.append(UnsafeRawBufferPointer(rebasing: body[offset..<offset + count]))
      offset += count
    }
    guard offset == body.count else { throw Fault("bytes behind a range") }
    var range = KeyRangeRef(prefix: parts[0])
    range.start = parts[1]
    range.end = parts[2]
    return .deleteRange(range, revision: body.loadUnaligned(as: Int64.self))
  }

  /// The key that the change is about; `nil` where it is about none, or about several.
  var key: UnsafeRawBufferPointer? {
    switch self {
    case .put(let image): image.key
    case .delete(let key, revision: _): key
    case .touch(let change), .push(let change), .pop(let change): change.key
    case .deleteRange, .group, .durableMark, .revisionLimit: nil
    }
  }
}

/// The image of an entry, as `Record.writeImage` wrote it. Checked to its last byte.
struct EntryImage {
  let bytes: UnsafeRawBufferPointer

  /// - Parameter bytes: exactly one image.
  init(whole bytes: UnsafeRawBufferPointer) throws(LoggedChange.Fault) {
    try self.init(prefixOf: bytes)
    guard self.bytes.count == bytes.count else {
      throw LoggedChange.Fault("bytes behind an entry")
    }
  }

  /// - Parameter bytes: begin with an image; more may follow.
  init(prefixOf bytes: UnsafeRawBufferPointer) throws(LoggedChange.Fault) {
    guard bytes.count > LogFormat.imageHeaderBytes else {
      throw LoggedChange.Fault("an entry that is cut short")
    }
    let keyBytes = Int(bytes.loadUnaligned(fromByteOffset: 22, as: UInt16.self))
    let valueBytes = Int(bytes.loadUnaligned(fromByteOffset: 44, as: UInt32.self))
    let count = LogFormat.imageHeaderBytes + keyBytes + valueBytes
    guard keyBytes > 0, bytes.count >= count else {
      throw LoggedChange.Fault("an entry whose key or value does not fit")
    }
    self.bytes = UnsafeRawBufferPointer(rebasing: bytes[..<count])
    guard let kind = ValueKind(rawValue: bytes[30]) else {
      throw LoggedChange.Fault("a value of the unknown kind \(bytes[30])")
    }
    switch kind {
    case .bytes, .text: break
    case .int, .double:
      guard valueBytes == 8 else { throw LoggedChange.Fault("a number of \(valueBytes) bytes") }
    case .bool:
      guard valueBytes == 1 else { throw LoggedChange.Fault("a bool of \(valueBytes) bytes") }
    case .list:
      guard valueBytes >= 4 else { throw LoggedChange.Fault("a list that is cut short") }
      let itemCount = Int(value.loadUnaligned(as: UInt32.self))
      let items = UnsafeRawBufferPointer(rebasing: value[4...])
      try LoggedItems.check(items, count: itemCount)
    }
  }

  var revision: Int64 { bytes.loadUnaligned(as: Int64.self) }
  var createRevision: Int64 { bytes.loadUnaligned(fromByteOffset: 8, as: Int64.self) }
  var kind: ValueKind { ValueKind(rawValue: bytes[30]).unsafelyUnwrapped }
  /// Unix milliseconds; 0: never.
  var expiresAtMillis: Int64 {
    Int64(bytes.loadUnaligned(fromByteOffset: 32, as: UInt64.self) & (1 << 48 - 1))
  }
  private var keyBytes: Int {
    Int(bytes.loadUnaligned(fromByteOffset: 22, as: UInt16.self))
  }
  var key: UnsafeRawBufferPointer {
    let start = LogFormat.imageHeaderBytes
    return UnsafeRawBufferPointer(rebasing: bytes[start..<start + keyBytes])
  }
  var value: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: bytes[(LogFormat.imageHeaderBytes + keyBytes)...])
  }
  /// Of a list.
  var items: LoggedItems {
    LoggedItems(
      UnsafeRawBufferPointer(rebasing: value[4...]),
      count: Int(value.loadUnaligned(as: UInt32.self)))
  }
}

/// A change of an entry that is not its value as a whole.
struct LoggedEntryChange {
  private typealias Offset = LogFormat.ChangeOffset
  private let body: UnsafeRawBufferPointer
  let key: UnsafeRawBufferPointer

  init(
    _ body: UnsafeRawBufferPointer, _ kind: LogFormat.Kind
  ) throws(LoggedChange.Fault) {
    guard body.count > LogFormat.changeHeaderBytes else {
      throw LoggedChange.Fault("a change of \(body.count) bytes")
    }
    self.body = body
    let keyBytes = Int(body.loadUnaligned(fromByteOffset: Offset.keyBytes, as: UInt16.self))
    let end = LogFormat.changeHeaderBytes + keyBytes
    guard keyBytes > 0, body.count >= end else {
      throw LoggedChange.Fault("a key that does not fit")
    }
    key = UnsafeRawBufferPointer(rebasing: body[LogFormat.changeHeaderBytes..<end])
    guard ListSide(rawValue: body[Offset.side]) != nil else {
      throw LoggedChange.Fault("an unknown end of a list")
    }
    let rest = UnsafeRawBufferPointer(rebasing: body[end...])
    try LoggedItems.check(rest, count: kind == .push ? itemCount : 0)
  }

  private func word(_ offset: Int) -> Int64 {
    body.loadUnaligned(fromByteOffset: offset, as: Int64.self)
  }
  var revision: Int64 { word(Offset.revision) }
  /// The entry's revision before; 0: it was not there.
  var base: Int64 { word(Offset.base) }
  var version: Int64 { word(Offset.version) }
  var updatedMillis: Int64 { word(Offset.updated) }
  /// Unix milliseconds; 0: never.
  var expiresAtMillis: Int64 { word(Offset.expires) }
  var isAtFront: Bool { body[Offset.side] == ListSide.front.rawValue }
  var itemCount: Int {
    Int(body.loadUnaligned(fromByteOffset: Offset.itemCount, as: UInt32.self))
  }
  var trimCount: Int {
    Int(body.loadUnaligned(fromByteOffset: Offset.trimCount, as: UInt32.self))
  }
  /// Of a push.
  var items: LoggedItems {
    let start = LogFormat.changeHeaderBytes + key.count
    return LoggedItems(UnsafeRawBufferPointer(rebasing: body[start...]), count: itemCount)
  }
}

/// Items one behind the other, as `ItemCoding` wrote them.
struct LoggedItems {
  private let bytes: UnsafeRawBufferPointer
  let count: Int

  /// - Parameter bytes: checked.
  fileprivate init(_ bytes: UnsafeRawBufferPointer, count: Int) {
    self.bytes = bytes
    self.count = count
  }

  /// Throws where bytes are not exactly so many items.
  fileprivate static func check(
    _ bytes: UnsafeRawBufferPointer, count: Int
  ) throws(LoggedChange.Fault) {
    var offset = 0
    for _ in 0..<count {
      guard bytes.count - offset >= 4 else {
        throw LoggedChange.Fault("items that are cut short")
      }
      let length = Int(bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
      guard bytes.count - offset - 4 >= length else {
        throw LoggedChange.Fault("an item that does not fit")
      }
      offset += 4 + length
    }
    guard offset == bytes.count else { throw LoggedChange.Fault("bytes behind the items") }
  }

  /// Bytes of all items with their lengths.
  var encodedBytes: Int { bytes.count }

  func forEach(_ body: (UnsafeRawBufferPointer) -> Void) {
    var offset = 0
    for _ in 0..<count {
      let length = Int(bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
      body(UnsafeRawBufferPointer(rebasing: bytes[offset + 4..<offset + 4 + length]))
      offset += 4 + length
    }
  }
}

/// Changes that happen together.
struct LoggedGroup {
  let revision: Int64
  /// How the call was answered, where that is kept.
  let answer: UnsafeRawBufferPointer?
  private let changes: UnsafeRawBufferPointer
  private let count: Int

  /// Kinds that a group may hold.
  private static let kinds: Set<LogFormat.Kind> = [
    .put, .delete, .touch, .push, .pop, .deleteRange,
  ]

  init(_ body: UnsafeRawBufferPointer, hasAnswer: Bool) throws(LoggedChange.Fault) {
    guard body.count >= 12 else { throw LoggedChange.Fault("a group of \(body.count) bytes") }
    revision = body.loadUnaligned(as: Int64.self)
    var offset = 8
    if hasAnswer {
      let bytes = Int(body.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
      guard body.count - 16 >= bytes else {
        throw LoggedChange.Fault("an answer that does not fit")
      }
      answer = UnsafeRawBufferPointer(rebasing: body[12..<12 + bytes])
      offset = 12 + bytes
    } else {
      answer = nil
    }
    count = Int(body.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    changes = UnsafeRawBufferPointer(rebasing: body[(offset + 4)...])
    try forEach { _ in }
  }

  /// Each change, in order.
  func forEach(
    _ body: (LoggedChange) -> Void
  ) throws(LoggedChange.Fault) {
    var offset = 0
    for _ in 0..<count {
      guard changes.count - offset >= 5 else {
        throw LoggedChange.Fault("a group that is cut short")
      }
      let bytes = Int(changes.loadUnaligned(fromByteOffset: offset + 1, as: UInt32.self))
      guard let kind = LogFormat.Kind(rawValue: changes[offset]), Self.kinds.contains(kind),
        changes.count - offset - 5 >= bytes
      else { throw LoggedChange.Fault("a change that does not fit its group") }
      let part = UnsafeRawBufferPointer(rebasing: changes[offset + 5..<offset + 5 + bytes])
      body(try LoggedChange(kind, part))
      offset += 5 + bytes
    }
    guard offset == changes.count else { throw LoggedChange.Fault("bytes behind a group") }
  }
}
