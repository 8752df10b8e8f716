import RoostAPI
import RoostServer
import TTRPC
import Testing

/// A request that must be refused. Handwritten bytes stand for what no message of this version is.
struct BadRequest: Sendable, CustomTestStringConvertible {
  var testDescription: String
  var method: MethodDescriptor
  var bytes: [UInt8]
  var code = StatusCode.invalidArgument

  init(
    _ what: String, _ method: MethodDescriptor, _ bytes: [UInt8],
    _ code: StatusCode = .invalidArgument
  ) {
    testDescription = what
    self.method = method
    self.bytes = bytes
    self.code = code
  }

  init<Request, Response>(
    _ what: String, _ method: Method<Request, Response>, _ request: Request,
    _ code: StatusCode = .invalidArgument
  ) {
    self.init(what, method.descriptor, try! request.encoded(), code)
  }
}

private let key = [UInt8]("k")
private let tooLongKey = [UInt8](repeating: 0, count: 4097)
private let tooLongValue = [UInt8](repeating: 0, count: (1 << 20) + 1)

private let badKeys: [BadRequest] = [[], tooLongKey].flatMap { key in
  let operation = Operation(kind: .get(GetRequest(key: key)))
  let compare = Compare(key: key, condition: Condition(kind: .exists(true)))
  return [
    BadRequest("Get", KV.Methods.get, GetRequest(key: key)),
    BadRequest("BatchGet", KV.Methods.batchGet, BatchGetRequest(keys: [[1], key])),
    BadRequest("Set", KV.Methods.set, SetRequest(key: key, value: .int(1))),
    BadRequest("Delete", KV.Methods.delete, DeleteRequest(key: key)),
    BadRequest("Increment", KV.Methods.increment, IncrementRequest(key: key)),
    BadRequest("Touch", KV.Methods.touch, TouchRequest(key: key)),
    BadRequest("Push", KV.Methods.push, PushRequest(key: key, items: [[1]])),
    BadRequest("Pop", KV.Methods.pop, PopRequest(key: key)),
    BadRequest("ListRange", KV.Methods.listRange, ListRangeRequest(key: key)),
    BadRequest("Transact step", KV.Methods.transact, TransactRequest(success: [operation])),
    BadRequest("Transact failure", KV.Methods.transact, TransactRequest(failure: [operation])),
    BadRequest("Transact compare", KV.Methods.transact, TransactRequest(compares: [compare])),
  ].map {
    BadRequest(
      "\($0.testDescription) with a key of \(key.count) bytes", $0.method, $0.bytes, $0.code)
  }
}

private func set(_ what: String, _ tail: [UInt8]) -> BadRequest {
  BadRequest(what, KV.Methods.set.descriptor, Wire.field(1, key) + tail)
}

private let integerValue = Wire.field(2, Wire.field(3, integer: 1))

private let badValues: [BadRequest] = [
  set("no value", []),
  set("a value without a kind", Wire.field(2, [])),
  set("a value of an unknown kind", Wire.field(2, Wire.field(9, [1]))),
  set("a text that is not UTF-8", Wire.field(2, Wire.field(2, [0xC0, 0x80]))),
  set("a text that ends within a character", Wire.field(2, Wire.field(2, [0xE2, 0x82]))),
  BadRequest(
    "a value that is a byte too long", KV.Methods.set,
    SetRequest(key: key, value: .bytes(tooLongValue))),
  BadRequest(
    "a list item that is a byte too long", KV.Methods.set,
    SetRequest(key: key, value: Value(kind: .listValue(ListValue(items: [tooLongValue]))))),
  BadRequest(
    "a pushed item that is a byte too long", KV.Methods.push,
    PushRequest(key: key, items: [tooLongValue])),
]

private let badParts: [BadRequest] = [
  set("an expiration without a kind", integerValue + Wire.field(3, [])),
  set("an expiration of an unknown kind", integerValue + Wire.field(3, Wire.field(9, [1]))),
  set("keep: false", integerValue + Wire.field(3, Wire.field(3, integer: 0))),
  set("a lifetime of 0", integerValue + Wire.field(3, Wire.field(1, integer: 0))),
  set("a negative lifetime", integerValue + Wire.field(3, Wire.field(1, integer: .max))),
  set(
    "a lifetime over 10 years",
    integerValue + Wire.field(3, Wire.field(1, integer: 3653 * 86_400_000 + 1))),
  set("an end over 10 years ahead", integerValue + Wire.field(3, Wire.field(2, integer: 1 << 50))),
  set("a condition without a kind", integerValue + Wire.field(4, [])),
  set("a condition of an unknown kind", integerValue + Wire.field(4, Wire.field(9, [1]))),
  set("revision 0", integerValue + Wire.field(4, Wire.field(2, integer: 0))),
  set("a negative revision", integerValue + Wire.field(4, Wire.field(2, integer: .max))),
  set(
    "a value condition of an unknown kind",
    integerValue + Wire.field(4, Wire.field(3, Wire.field(9, [1])))),
  set("a durability of tomorrow", integerValue + Wire.field(5, Wire.field(2, integer: 99))),
  set("a cut message", [0x12, 0x7F]),
  set("garbage", [0xFF, 0xFF, 0xFF]),
]

private let badLists: [BadRequest] = [
  BadRequest("a push of nothing", KV.Methods.push, PushRequest(key: key)),
  BadRequest(
    "a push of 1,001 items", KV.Methods.push,
    PushRequest(key: key, items: Array(repeating: [], count: 1001))),
  BadRequest(
    "a push to no end", KV.Methods.push,
    PushRequest(key: key, items: [[1]], end: .unrecognized(3))),
  BadRequest(
    "a negative length", KV.Methods.push, PushRequest(key: key, items: [[1]], maxLength: -1)),
  BadRequest("a pop of 1,001 items", KV.Methods.pop, PopRequest(key: key, count: 1001)),
  BadRequest("a pop of -1 items", KV.Methods.pop, PopRequest(key: key, count: -1)),
  BadRequest("a pop from no end", KV.Methods.pop, PopRequest(key: key, end: .unrecognized(-1))),
]

private let many = Array(repeating: Operation(kind: .get(GetRequest(key: key))), count: 129)

private let badBatches: [BadRequest] = [
  BadRequest(
    "a batch of 1,001 keys", KV.Methods.batchGet,
    BatchGetRequest(keys: Array(repeating: key, count: 1001))),
  BadRequest("129 steps", KV.Methods.transact, TransactRequest(success: many)),
  BadRequest("129 failure steps", KV.Methods.transact, TransactRequest(failure: many)),
  BadRequest(
    "129 compares", KV.Methods.transact,
    TransactRequest(
      compares: Array(
        repeating: Compare(key: key, condition: Condition(kind: .exists(true))), count: 129))),
  BadRequest(
    "a compare without a condition", KV.Methods.transact,
    TransactRequest(compares: [Compare(key: key)])),
  BadRequest(
    "a compare of an unknown kind", KV.Methods.transact.descriptor,
    Wire.field(1, Wire.field(1, key) + Wire.field(2, Wire.field(9, [1])))),
  BadRequest("a step without a kind", KV.Methods.transact.descriptor, Wire.field(2, [])),
  BadRequest(
    "a step of an unknown kind", KV.Methods.transact.descriptor,
    Wire.field(2, Wire.field(19, Wire.field(1, key)))),
  BadRequest(
    "a failure step of an unknown kind", KV.Methods.transact.descriptor,
    Wire.field(3, Wire.field(19, Wire.field(1, key)))),
  BadRequest(
    "a step with options", KV.Methods.transact,
    TransactRequest(success: [
      Operation(kind: .set(SetRequest(key: key, value: .int(1), options: WriteOptions())))
    ])),
  BadRequest(
    "a pop step with options", KV.Methods.transact,
    TransactRequest(failure: [
      Operation(kind: .pop(PopRequest(key: key, options: WriteOptions(returnPrevious: true))))
    ])),
]

private let badRanges: [BadRequest] = [
  KeyRange(prefix: [1], start: [1]), KeyRange(prefix: [1], end: [2]),
  KeyRange(start: [2], end: [1]),
  KeyRange(prefix: tooLongKey), KeyRange(start: tooLongKey + [0]), KeyRange(end: tooLongKey + [0]),
].flatMap { range in
  let what = "\(range.prefix.count), \(range.start.prefix(3)), \(range.end.prefix(3))"
  return [
    BadRequest("Scan \(what)", KV.Methods.scan, ScanRequest(range: range)),
    BadRequest("Count \(what)", KV.Methods.count, CountRequest(range: range)),
    BadRequest("DeleteRange \(what)", KV.Methods.deleteRange, DeleteRangeRequest(range: range)),
  ]
}

private let badScans: [BadRequest] = [
  BadRequest("a page of -1", KV.Methods.scan, ScanRequest(pageSize: -1)),
  BadRequest("a page of 10,001", KV.Methods.scan, ScanRequest(pageSize: 10_001)),
  BadRequest("a pattern without a kind", KV.Methods.scan, ScanRequest(pattern: [1])),
  BadRequest("a kind without a pattern", KV.Methods.scan, ScanRequest(matchKind: .glob)),
  BadRequest(
    "an unknown kind of pattern", KV.Methods.scan,
    ScanRequest(matchKind: .unrecognized(3), pattern: [1])),
  BadRequest(
    "a pattern of 257 bytes", KV.Methods.scan,
    ScanRequest(matchKind: .glob, pattern: Array(repeating: 97, count: 257))),
  BadRequest(
    "an open group", KV.Methods.scan, ScanRequest(matchKind: .regex, pattern: [UInt8]("(a"))),
  BadRequest(
    "an open class", KV.Methods.scan, ScanRequest(matchKind: .glob, pattern: [UInt8]("[a"))),
  BadRequest(
    "a huge repetition", KV.Methods.scan,
    ScanRequest(matchKind: .regex, pattern: [UInt8]("((a{99}){99}){99}"))),
  BadRequest("a page token of nonsense", KV.Methods.scan, ScanRequest(pageToken: [1, 2, 3])),
  BadRequest(
    "a page token of another version", KV.Methods.scan,
    ScanRequest(pageToken: [2] + Array(repeating: 0, count: 40))),
]

@Suite struct KVBadInputTests {
  @Test(
    "A bad request is refused with a reason, changes nothing, and the connection goes on",
    arguments: [badKeys, badValues, badParts, badLists, badBatches, badRanges, badScans])
  func refused(requests: [BadRequest]) async throws {
    try await TestServer.with { server in
      let wire = try server.connect()
      let revision = try await Admin.Client(wire).status(StatusRequest()).revision
      for request in requests {
        let call = WireConnection.Call(method: request.method, request: request.bytes)
        let answer = try await wire.exchange([call])[0]
        #expect(answer.code == request.code, "\(request.testDescription): \(answer.message)")
        #expect(answer.message.count > 10, "\(request.testDescription)")
      }
      let status = try await Admin.Client(wire).status(StatusRequest())
      #expect(status.keyCount == 0 && status.revision == revision)
    }
  }

  @Test("A key of one byte, of NUL bytes and of the longest length is kept apart from others")
  func goodKeys() async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      let keys: [[UInt8]] = [
        [0], [0, 0], [1], [0xFF, 0xFE], Array(repeating: 0, count: 4096),
        Array(repeating: 0xFF, count: 4096),
      ]
      for (index, key) in keys.enumerated() {
        _ = try await kv.set(SetRequest(key: key, value: .int(Int64(index))))
      }
      for (index, key) in keys.enumerated() {
        #expect(try await kv.get(GetRequest(key: key)).entry?.value == .int(Int64(index)))
      }
      let scanned = try await kv.scan(ScanRequest()).entries.map(\.key)
      #expect(scanned == keys.sorted { $0.lexicographicallyPrecedes($1) })
      let last = keys[5] + [0]
      #expect(try await kv.count(CountRequest(range: KeyRange(end: last))).count == 6)
    }
  }

  @Test("The longest value comes back; limits are those of the configuration")
  func limits() async throws {
    var limits = ServerLimits()
    limits.maxValueBytes = 3 << 20
    limits.maxKeyBytes = 8
    limits.maxBatchKeys = 2
    limits.maxTransactionSteps = 1
    limits.maxListItemsPerCall = 2
    limits.maxDeleteRangeKeys = 2
    try await TestServer.with(limits: limits) { server in
      let kv = try server.kv()
      let longest = Value.bytes([UInt8](repeating: 7, count: 3 << 20))
      try await kv.set("longest", longest)
      #expect(try await kv.get("longest").entry?.value == longest)
      let key = [UInt8]("k")
      let step = Operation(kind: .get(GetRequest(key: key)))
      for code in [
        await code {
          try await kv.set("k", .bytes([UInt8](repeating: 7, count: (3 << 20) + 1)))
        },
        await code { try await kv.get("ninebytes") },
        await code { try await kv.batchGet(BatchGetRequest(keys: [key, key, key])) },
        await code { try await kv.transact(TransactRequest(success: [step, step])) },
        await code { try await kv.push(PushRequest(key: key, items: [[], [], []])) },
        await code { try await kv.pop(PopRequest(key: key, count: 3)) },
      ] {
        #expect(code == .invalidArgument)
      }
      for name in ["a", "b"] { try await kv.set(name, .int(1)) }
      #expect(await code { try await kv.deleteRange(DeleteRangeRequest()) } == .resourceExhausted)
      #expect(try await kv.count(CountRequest()).count == 3)
    }
  }

  @Test(
    "A frame full of empty submessages or unknown fields fails alone, over its budget of memory",
    arguments: [
      (KV.Methods.get.descriptor, [0x7A, 0x00]), (KV.Methods.batchGet.descriptor, [0x0A, 0x00]),
      (KV.Methods.transact.descriptor, [0x12, 0x00]), (KV.Methods.set.descriptor, [0x78, 0x00]),
    ] as [(MethodDescriptor, [UInt8])])
  func decodingBomb(method: MethodDescriptor, unit: [UInt8]) async throws {
    try await TestServer.with { server in
      let wire = try server.connect()
      let request = Array(repeatElement(unit, count: (4 << 19) - 50).joined())
      let get = WireConnection.Call(method: KV.Methods.get.descriptor, request: [0x0A, 1, 1])
      let answers = try await wire.exchange([
        get, WireConnection.Call(method: method, request: request), get,
      ])
      #expect(answers.map(\.code) == [.ok, .resourceExhausted, .ok])
    }
  }

  @Test("Unknown fields of a request are ignored")
  func unknownFields() async throws {
    try await TestServer.with { server in
      let wire = try server.connect()
      let request =
        Wire.field(1, [UInt8]("k")) + Wire.field(99, [1]) + Wire.field(2, Wire.field(3, integer: 7))
        + Wire.field(77, integer: 5)
      let answer = try await wire.exchange([
        WireConnection.Call(method: KV.Methods.set.descriptor, request: request)
      ])[0]
      #expect(answer.code == .ok)
      #expect(try await KV.Client(wire).get("k").entry?.value == .int(7))
    }
  }
}
