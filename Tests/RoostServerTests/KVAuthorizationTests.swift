import ProtobufC
import RoostAPI
import RoostStore
import TTRPC
import Testing

@testable import RoostServer

/// A call, and what it has to be granted on the keys below `a/`.
struct GuardedCall: Sendable, CustomTestStringConvertible {
  var testDescription: String
  var needs: AccessActions
  var make: @Sendable (_ key: [UInt8], _ range: KeyRange) -> (MethodDescriptor, [UInt8])

  init<Request: Message, Response>(
    _ what: String, _ needs: AccessActions, _ method: Method<Request, Response>,
    _ make: @escaping @Sendable (_ key: [UInt8], _ range: KeyRange) -> Request
  ) {
    testDescription = what
    self.needs = needs
    self.make = { (method.descriptor, try! make($0, $1).encoded()) }
  }
}

private let previous = WriteOptions(returnPrevious: true)
private let isOne = Condition(kind: .value(.int(1)))

private let single: [GuardedCall] = [
  GuardedCall("Get", .read, KV.Methods.get) { key, _ in GetRequest(key: key) },
  GuardedCall("BatchGet", .read, KV.Methods.batchGet) { key, _ in
    BatchGetRequest(keys: [[UInt8]("a/ok"), key])
  },
  GuardedCall("ListRange", .read, KV.Methods.listRange) { key, _ in ListRangeRequest(key: key) },
  GuardedCall("Set", .write, KV.Methods.set) { key, _ in SetRequest(key: key, value: .int(1)) },
  GuardedCall("Set with exists", .write, KV.Methods.set) { key, _ in
    SetRequest(key: key, value: .int(1), condition: Condition(kind: .exists(true)))
  },
  GuardedCall("Set with previous", [.read, .write], KV.Methods.set) { key, _ in
    SetRequest(key: key, value: .int(1), options: previous)
  },
  GuardedCall("Set with a value condition", [.read, .write], KV.Methods.set) { key, _ in
    SetRequest(key: key, value: .int(1), condition: isOne)
  },
  GuardedCall("Delete", .write, KV.Methods.delete) { key, _ in DeleteRequest(key: key) },
  GuardedCall("Delete with previous", [.read, .write], KV.Methods.delete) { key, _ in
    DeleteRequest(key: key, options: previous)
  },
  GuardedCall("Increment", .write, KV.Methods.increment) { key, _ in
    IncrementRequest(key: key, delta: 1)
  },
  GuardedCall("Touch", .write, KV.Methods.touch) { key, _ in TouchRequest(key: key) },
  GuardedCall("Push", .write, KV.Methods.push) { key, _ in PushRequest(key: key, items: [[1]]) },
  GuardedCall("Pop", .write, KV.Methods.pop) { key, _ in PopRequest(key: key) },
]

private func step(_ kind: Operation.Kind) -> [Operation] { [Operation(kind: kind)] }

private let transactions: [GuardedCall] = [
  GuardedCall("a compare", .read, KV.Methods.transact) { key, _ in
    TransactRequest(compares: [Compare(key: key, condition: Condition(kind: .exists(true)))])
  },
  GuardedCall("a get step", .read, KV.Methods.transact) { key, _ in
    TransactRequest(success: step(.get(GetRequest(key: key))))
  },
  GuardedCall("a set step", .write, KV.Methods.transact) { key, _ in
    TransactRequest(success: step(.set(SetRequest(key: key, value: .int(1)))))
  },
  GuardedCall("a set step with a value condition", [.read, .write], KV.Methods.transact) { key, _ in
    TransactRequest(success: step(.set(SetRequest(key: key, value: .int(1), condition: isOne))))
  },
  GuardedCall("a delete step", .write, KV.Methods.transact) { key, _ in
    TransactRequest(success: step(.delete(DeleteRequest(key: key))))
  },
  GuardedCall("an increment step", .write, KV.Methods.transact) { key, _ in
    TransactRequest(success: step(.increment(IncrementRequest(key: key))))
  },
  GuardedCall("a push step", .write, KV.Methods.transact) { key, _ in
    TransactRequest(success: step(.push(PushRequest(key: key, items: [[1]]))))
  },
  GuardedCall("a pop step", .write, KV.Methods.transact) { key, _ in
    TransactRequest(success: step(.pop(PopRequest(key: key))))
  },
  GuardedCall("a failure step that is not taken", .write, KV.Methods.transact) { key, _ in
    TransactRequest(failure: step(.set(SetRequest(key: key, value: .int(1)))))
  },
]

private let rangeCalls: [GuardedCall] = [
  GuardedCall("Scan", .read, KV.Methods.scan) { _, range in ScanRequest(range: range) },
  GuardedCall("Scan beside the loop", .read, KV.Methods.scan) { _, range in
    ScanRequest(range: range, pageSize: 1000)
  },
  GuardedCall("Scan with a pattern", .read, KV.Methods.scan) { _, range in
    ScanRequest(range: range, matchKind: .glob, pattern: [UInt8]("a/*"))
  },
  GuardedCall("Count", .read, KV.Methods.count) { _, range in CountRequest(range: range) },
  GuardedCall("DeleteRange", .write, KV.Methods.deleteRange) { _, range in
    DeleteRangeRequest(range: range)
  },
  GuardedCall("DeleteRange as a dry run", .write, KV.Methods.deleteRange) { _, range in
    DeleteRangeRequest(range: range, dryRun: true)
  },
]

@Suite struct KVAuthorizationTests {
  private func principal(_ grants: [AccessGrant]) -> Principal {
    Principal(tokenID: "aaaaaaaa", name: "test", grants: grants)
  }

  private func isDenied(
    _ wire: WireConnection, _ call: GuardedCall, key: String, range: KeyRange
  ) async throws -> Bool {
    let (method, request) = call.make([UInt8](key), range)
    let answer = try await wire.exchange([.init(method: method, request: request)])[0]
    #expect(answer.code != .invalidArgument && answer.code != .internal, "\(call.testDescription)")
    return answer.code == .permissionDenied
  }

  @Test(
    "A call on a key needs its actions on that key, inside the prefix",
    arguments: single + transactions)
  func keys(call: GuardedCall) async throws {
    for actions in [[], .read, .write, [.read, .write], .admin, .all] as [AccessActions] {
      let grants = [AccessGrant(actions, prefix: [UInt8]("a/"))]
      try await TestServer.with(principal: principal(grants)) { server in
        let wire = try server.connect()
        let range = KeyRange()
        let inside = try await isDenied(wire, call, key: "a/k", range: range)
        #expect(inside == !actions.isSuperset(of: call.needs), "\(actions)")
        for outside in ["b/k", "a", "a\0/", "A/k", "\0a/k"] {
          #expect(try await isDenied(wire, call, key: outside, range: range), "\(outside)")
        }
      }
    }
  }

  @Test("A range has to lie inside one grant as a whole", arguments: rangeCalls)
  func ranges(call: GuardedCall) async throws {
    let grants = [
      AccessGrant(call.needs, prefix: [UInt8]("a/")),
      AccessGrant(call.needs, prefix: [UInt8]("b/")),
    ]
    try await TestServer.with(principal: principal(grants)) { server in
      let wire = try server.connect()
      func range(_ start: String, _ end: String) -> KeyRange {
        KeyRange(start: [UInt8](start), end: [UInt8](end))
      }
      for inside in [
        KeyRange(prefix: [UInt8]("a/")), KeyRange(prefix: [UInt8]("b/x")), range("a/", "a0"),
        range("a/b", "a/c"),
      ] {
        #expect(try await !isDenied(wire, call, key: "", range: inside), "\(inside)")
      }
      for outside in [
        KeyRange(), KeyRange(prefix: [UInt8]("a")), KeyRange(prefix: [UInt8]("c/")),
        range("a/", ""), range("a/", "b/z"), range("", "a/"), range("a/", "a0\0"),
        range("a", "a/"),
      ] {
        #expect(try await isDenied(wire, call, key: "", range: outside), "\(outside)")
      }
    }
  }

  @Test("Every method of KV is among the calls that are tried")
  func complete() {
    let tried = (single + transactions + rangeCalls).map { $0.make([1], KeyRange()).0 }
    #expect(Set(tried) == Set(KV.Methods.all))
  }

  @Test(
    "Without a grant nothing is allowed, on no key and on no range",
    arguments: single + transactions + rangeCalls)
  func noGrant(call: GuardedCall) async throws {
    try await TestServer.with(principal: principal([])) { server in
      let wire = try server.connect()
      for range in [KeyRange(), KeyRange(prefix: [1]), KeyRange(start: [1], end: [1])] {
        #expect(try await isDenied(wire, call, key: "a/k", range: range))
      }
    }
  }

  @Test("A page token leads out of a grant by no way, whoever made it")
  func pageTokens() async throws {
    let reader = principal([AccessGrant([.read, .write], prefix: [UInt8]("b/"))])
    try await TestServer.with(principal: reader) { server in
      let kv = try server.kv()
      for key in ["b/1", "b/2", "b/3"] { try await kv.set(key, .int(1)) }
      for key in ["a/1", "b", "b0", "c/1"] {
        let wide = KeyRange()
        // Of a scan of everything: the range that comes with it is refused, and no other fits.
        let token = forgedToken(wide, reverse: false, after: [UInt8](key))
        let scan = ScanRequest(range: wide, pageToken: token)
        #expect(await code { try await kv.scan(scan) } == .permissionDenied)
        for reverse in [false, true] {
          let own = KeyRange(prefix: [UInt8]("b/"))
          var scan = ScanRequest(range: own, reverse: reverse, pageToken: token)
          #expect(await code { try await kv.scan(scan) } == .invalidArgument)
          scan.pageToken = forgedToken(own, reverse: reverse, after: [UInt8](key))
          for pageSize in [Int64(10), 1_000] {
            scan.pageSize = pageSize
            let keys = try await kv.scan(scan).entries.map(\.key)
            #expect(keys.allSatisfy { $0.starts(with: [UInt8]("b/")) }, "\(key): \(keys)")
          }
        }
      }
    }
  }

  /// Made as the server makes them, but for a position that no scan of the range comes to.
  private func forgedToken(_ range: KeyRange, reverse: Bool, after position: [UInt8]) -> [UInt8] {
    let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
    return range.prefix.withUnsafeBytes { prefix in
      let reference = KeyRangeRef(prefix: prefix)
      let tokens = PageToken(
        range: reference, matchKind: UInt8.max, pattern: nothing, reverse: reverse)
      let reply = ReplyArena(budgetBytes: .max)
      return position.withUnsafeBytes { [UInt8](tokens.token(after: $0, in: reply)) }
    }
  }

  @Test("A refusal tells nothing of whether the key exists, and nothing happens")
  func tellsNothing() async throws {
    let reader = principal([AccessGrant(.all, prefix: [UInt8]("a/"))])
    try await TestServer.with(principal: reader) { server in
      let kv = try server.kv()
      try await kv.set("a/k", .int(1))
      var messages: Set<String> = []
      for request in [GetRequest(key: [UInt8]("b/k")), GetRequest(key: [UInt8]("b/other"))] {
        let error = await #expect(throws: RPCError.self) { try await kv.get(request) }
        messages.insert(error?.message ?? "")
        #expect(error?.message.contains("b/") == false)
      }
      #expect(messages.count == 1)
      let mixed = TransactRequest(
        success: step(.set(SetRequest(key: [UInt8]("a/new"), value: .int(1))))
          + step(.get(GetRequest(key: [UInt8]("b/k")))))
      #expect(await code { try await kv.transact(mixed) } == .permissionDenied)
      #expect(try await kv.get("a/new").found == false)
    }
  }
}
