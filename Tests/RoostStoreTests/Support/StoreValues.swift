import RoostStore

/// An owned value. Doubles are equal where their bits are.
enum StoreValue: Sendable {
  case bytes(Bytes)
  case text(Bytes)
  case int(Int64)
  case double(Double)
  case bool(Bool)
  case list([Bytes])

  var kind: ValueKind {
    switch self {
    case .bytes: .bytes
    case .text: .text
    case .int: .int
    case .double: .double
    case .bool: .bool
    case .list: .list
    }
  }
}

extension StoreValue: Hashable {
  private enum Comparable: Hashable {
    case bytes(Bytes)
    case text(Bytes)
    case int(Int64)
    case double(UInt64)
    case bool(Bool)
    case list([Bytes])
  }

  private var comparable: Comparable {
    switch self {
    case .bytes(let bytes): .bytes(bytes)
    case .text(let bytes): .text(bytes)
    case .int(let int): .int(int)
    case .double(let double): .double(double.bitPattern)
    case .bool(let bool): .bool(bool)
    case .list(let items): .list(items)
    }
  }

  static func == (left: StoreValue, right: StoreValue) -> Bool {
    left.comparable == right.comparable
  }
  func hash(into hasher: inout Hasher) { hasher.combine(comparable) }
}

extension StoreValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral
{
  init(stringLiteral text: String) { self = .text(Bytes(text)) }
  init(integerLiteral int: Int64) { self = .int(int) }
  init(floatLiteral double: Double) { self = .double(double) }
  init(booleanLiteral bool: Bool) { self = .bool(bool) }
  init(arrayLiteral items: Bytes...) { self = .list(items) }
}

extension StoreValue: CustomStringConvertible {
  var description: String {
    switch self {
    case .bytes(let bytes): "bytes \(bytes)"
    case .text(let bytes): "\(bytes)"
    case .int(let int): "\(int)"
    case .double(let double): "\(double)"
    case .bool(let bool): "\(bool)"
    case .list(let items) where items.count <= 12: "\(items)"
    case .list(let items): "[\(items.count) items]"
    }
  }
}

/// An owned entry. The field names are those of `EntryRef`.
struct StoredEntry: Hashable, Sendable {
  var key: Bytes = []
  var value: StoreValue?
  var valueOmitted = false
  var revision: Int64 = 0
  var createRevision: Int64 = 0
  var version: Int64 = 0
  var createdAtMillis: Int64 = 0
  var updatedAtMillis: Int64 = 0
  var expiresAtMillis: Int64 = 0
}

// What the engine lends, copied: valid for as long as the test likes.

extension Bytes {
  init(_ slice: ByteSlice) { self.init(slice.bytes) }
}

extension StoreValue {
  init(copying value: ValueRef) {
    switch value {
    case .bytes(let bytes): self = .bytes(Bytes(bytes))
    case .text(let bytes): self = .text(Bytes(bytes))
    case .int(let int): self = .int(int)
    case .double(let double): self = .double(double)
    case .bool(let bool): self = .bool(bool)
    case .list(let items): self = .list(items.map { Bytes($0) })
    }
  }
}

extension StoredEntry {
  init(copying entry: EntryRef) {
    key = Bytes(entry.key)
    value = entry.value.map { StoreValue(copying: $0) }
    valueOmitted = entry.valueOmitted
    revision = entry.revision
    createRevision = entry.createRevision
    version = entry.version
    createdAtMillis = entry.createdAtMillis
    updatedAtMillis = entry.updatedAtMillis
    expiresAtMillis = entry.expiresAtMillis
  }

  init?(copying entry: EntryRef?) {
    guard let entry else { return nil }
    self.init(copying: entry)
  }
}
