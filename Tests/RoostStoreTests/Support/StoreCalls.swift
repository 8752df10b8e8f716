import RoostStore

// The engine's commands with owned contents: a test can build, keep, print and compare them.

enum StoreExpiration: Hashable, Sendable {
  case never, keep
  case after(Int64)  // milliseconds
  case at(Int64)  // Unix time, milliseconds
}

enum StoreCondition: Hashable, Sendable {
  case none
  case exists(Bool)
  case revision(Int64)
  case value(StoreValue)
}

/// An idempotency key with its owner, and what stands for the request.
struct StoreTicket: Hashable, Sendable {
  var owner: Bytes = "token"
  var key: Bytes
  var request: Bytes = "request"
}

struct SetCall: Hashable, Sendable {
  var key: Bytes
  var value: StoreValue
  var expiration = StoreExpiration.never
  var condition = StoreCondition.none
  var returnPrevious = false
  var durability = WriteDurability.engineDefault
}

struct DeleteCall: Hashable, Sendable {
  var key: Bytes
  var condition = StoreCondition.none
  var returnPrevious = false
}

struct IncrementCall: Hashable, Sendable {
  var key: Bytes
  var delta: Int64
  var initial: Int64 = 0
  var expiration = StoreExpiration.keep
}

struct PushCall: Hashable, Sendable {
  var key: Bytes
  var items: [Bytes]
  var side = ListSide.back
  var expiration = StoreExpiration.keep
  var mustExist = false
  var maxLength: Int64 = 0
}

struct PopCall: Hashable, Sendable {
  var key: Bytes
  var side = ListSide.back
  var count = 1
}

enum StoreOperation: Hashable, Sendable {
  case get(Bytes, keysOnly: Bool = false)
  case set(SetCall)
  case delete(DeleteCall)
  case increment(IncrementCall)
  case push(PushCall)
  case pop(PopCall)

  var key: Bytes {
    switch self {
    case .get(let key, _): key
    case .set(let call): call.key
    case .delete(let call): call.key
    case .increment(let call): call.key
    case .push(let call): call.key
    case .pop(let call): call.key
    }
  }
}

struct StoreCompare: Hashable, Sendable {
  var key: Bytes
  var condition: StoreCondition
}

struct TransactCall: Hashable, Sendable {
  var compares: [StoreCompare] = []
  var success: [StoreOperation] = []
  var failure: [StoreOperation] = []
}

struct StoreRange: Hashable, Sendable {
  var prefix: Bytes = []
  var start: Bytes = []
  var end: Bytes = []

  static let all = StoreRange()

  func contains(_ key: Bytes) -> Bool {
    key.starts(with: prefix) && key >= start && (end.isEmpty || key < end)
  }
}

struct StorePattern: Hashable, Sendable {
  var kind: KeyPattern.Kind
  var text: Bytes

  static func glob(_ text: Bytes) -> StorePattern { StorePattern(kind: .glob, text: text) }
  static func regex(_ text: Bytes) -> StorePattern { StorePattern(kind: .regex, text: text) }

  func compile() throws(StoreError) -> KeyPattern { try KeyPattern(bytes: kind, text.array) }
}

struct ScanCall: Hashable, Sendable {
  var range = StoreRange.all
  var pattern: StorePattern?
  var keysOnly = false
  var reverse = false
  var pageSize = 100
  var maxExamined = 10_000
  var maxPageBytes = 1 << 20
  var resumeAfter: Bytes?
}

enum StoreCall: Hashable, Sendable {
  case get(Bytes, keysOnly: Bool = false)
  case batchGet([Bytes], keysOnly: Bool = false)
  case set(SetCall)
  case delete(DeleteCall)
  case deleteRange(StoreRange, dryRun: Bool = false, maxKeys: Int = 10_000)
  case increment(IncrementCall)
  case touch(Bytes, StoreExpiration)
  case push(PushCall)
  case pop(PopCall)
  case listRange(Bytes, start: Int64, stop: Int64)
  case transact(TransactCall)
  case scan(ScanCall)
  case count(StoreRange)
}
