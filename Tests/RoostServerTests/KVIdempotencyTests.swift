import RoostAPI
import RoostStore
import Synchronization
import TTRPC
import Testing

@testable import RoostServer

/// Makes calls one principal's and then another's.
private final class ChosenPrincipal: ServerInterceptor, Sendable {
  private let principals: [Principal]
  private let chosen = Atomic<Int>(0)

  init(_ principals: [Principal]) { self.principals = principals }

  func choose(_ index: Int) { chosen.store(index, ordering: .sequentiallyConsistent) }

  func intercept(_ call: inout InlineCall) -> Decision {
    call.attachment = Unmanaged.passUnretained(
      principals[chosen.load(ordering: .sequentiallyConsistent)])
    return .proceed
  }
}

@Suite("Idempotency keys at the server")
struct KVIdempotencyTests {
  private let once = WriteOptions(idempotencyKey: [UInt8]("once"), returnPrevious: true)
  private let plain = WriteOptions(idempotencyKey: [UInt8]("once"))

  /// What a call answers twice, and thrice where it is sent again behind other writes.
  private func twice<Answer>(_ call: () async throws -> Answer) async throws -> (Answer, Answer) {
    (try await call(), try await call())
  }

  @Test("A write of one key is answered again as it was, and says so")
  func singleKey() async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      let key = [UInt8]("k")
      let set = SetRequest(key: key, value: .int(5), options: once)
      var (first, second) = try await twice { try await kv.set(set) }
      #expect(!first.replayed && second.replayed && first.created)
      first.replayed = true
      #expect(first == second)
      try await kv.set("k", .int(1))
      #expect(try await kv.set(set) == second)
      #expect(try await kv.get("k").entry?.value == .int(1))
    }
    try await TestServer.with { server in
      let kv = try server.kv()
      try await kv.set("k", .text("before"))
      let delete = DeleteRequest(key: [UInt8]("k"), options: once)
      var (first, second) = try await twice { try await kv.delete(delete) }
      #expect(!first.replayed && second.replayed && first.previous?.value == .text("before"))
      first.replayed = true
      #expect(first == second)
    }
  }

  @Test("A number, a lifetime and a list are changed once")
  func others() async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      let options = (0..<4).map { WriteOptions(idempotencyKey: [UInt8($0)]) }
      let (key, list) = ([UInt8]("n"), [UInt8]("list"))
      let (sum, again) = try await twice {
        try await kv.increment(IncrementRequest(key: key, delta: 3, options: options[0]))
      }
      #expect(sum.value == 3 && again.value == 3 && again.replayed && !sum.replayed)
      let (touch, touched) = try await twice {
        try await kv.touch(
          TouchRequest(key: key, expiration: Expiration(kind: .ttlMs(50_000)), options: options[1])
        )
      }
      #expect(touch.expiresAtMs == touched.expiresAtMs && touched.replayed && touched.found)
      let (push, pushed) = try await twice {
        try await kv.push(PushRequest(key: list, items: [[1], [2]], options: options[2]))
      }
      #expect(push.length == 2 && pushed.length == 2 && pushed.replayed)
      let (pop, popped) = try await twice {
        try await kv.pop(PopRequest(key: list, options: options[3]))
      }
      #expect(pop.items == [[2]] && popped.items == [[2]] && popped.replayed && popped.length == 1)
    }
  }

  @Test("A transaction is done once; its steps do not say that they are replayed")
  func transaction() async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      let request = TransactRequest(
        success: [
          Operation(kind: .set(SetRequest(key: [1], value: .int(1)))),
          Operation(kind: .increment(IncrementRequest(key: [1], delta: 4))),
        ], options: plain)
      var (first, second) = try await twice { try await kv.transact(request) }
      #expect(!first.replayed && second.replayed)
      first.replayed = true
      #expect(first == second)
    }
  }

  @Test("A range is deleted once, on the loop and beside it", arguments: [3, 2_100])
  func range(count: Int) async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      func fill() async throws {
        for number in 0..<count { try await kv.set("key \(number)", .int(1)) }
      }
      try await fill()
      let request = DeleteRangeRequest(options: plain)
      let first = try await kv.deleteRange(request)
      #expect(first.deleted == count && !first.replayed)
      try await fill()
      let second = try await kv.deleteRange(request)
      #expect(second.deleted == count && second.replayed && second.revision == first.revision)
      #expect(try await kv.count(CountRequest()).count == count)
    }
  }

  @Test("Another request, and another method, under the same key are refused")
  func reuse() async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      let key = [UInt8]("k")
      _ = try await kv.set(SetRequest(key: key, value: .int(1), options: plain))
      for value in [Int64(2), 3] {
        let request = SetRequest(key: key, value: .int(value), options: plain)
        #expect(await code { try await kv.set(request) } == .invalidArgument)
      }
      #expect(
        await code { try await kv.delete(DeleteRequest(key: key, options: plain)) }
          == .invalidArgument)
      #expect(
        await code { try await kv.pop(PopRequest(key: key, options: plain)) } == .invalidArgument)
      #expect(try await kv.get("k").entry?.value == .int(1))
    }
  }

  @Test("A key has up to 64 bytes, and steps have none")
  func length() async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      func options(_ count: Int) -> WriteOptions {
        WriteOptions(idempotencyKey: [UInt8](repeating: 0, count: count))
      }
      _ = try await kv.set(SetRequest(key: [1], value: .int(1), options: options(64)))
      for count in [65, 4_096] {
        #expect(
          await code {
            try await kv.set(SetRequest(key: [1], value: .int(1), options: options(count)))
          } == .invalidArgument)
      }
      let step = Operation(kind: .pop(PopRequest(key: [1], options: options(1))))
      #expect(
        await code { try await kv.transact(TransactRequest(success: [step])) } == .invalidArgument)
    }
  }

  @Test("Authorization is asked first, each time, and each token has its own keys")
  func authorization() async throws {
    func principal(_ id: String, _ actions: AccessActions) -> Principal {
      Principal(
        tokenID: id, name: id, grants: [AccessGrant(actions, prefix: [UInt8]("a/"))])
    }
    let who = ChosenPrincipal([
      principal("aaaaaaaa", [.read, .write]), principal("bbbbbbbb", [.read, .write]),
      principal("aaaaaaaa", .read),
    ])
    try await TestServer.with(interceptor: who) { server in
      let kv = try server.kv()
      func add(_ key: String) async throws -> IncrementResponse {
        try await kv.increment(IncrementRequest(key: [UInt8](key), delta: 1, options: plain))
      }
      // A call that is not allowed leaves nothing behind.
      #expect(await code { try await add("b/n") } == .permissionDenied)
      #expect(try await add("a/n").value == 1)
      #expect(await code { try await add("b/n") } == .permissionDenied)
      who.choose(1)
      let other = try await add("a/n")
      #expect(other.value == 2 && !other.replayed)
      who.choose(0)
      let again = try await add("a/n")
      #expect(again.value == 1 && again.replayed)
      // The same token, which has lost its right.
      who.choose(2)
      #expect(await code { try await add("a/n") } == .permissionDenied)
    }
  }

  @Test("Status tells what the answers take and how far back they reach")
  func status() async throws {
    try await TestServer.with { server in
      let (kv, admin) = (try server.kv(), try server.admin())
      #expect(try await admin.status(StatusRequest()).idempotencyBytes == 0)
      _ = try await kv.set(SetRequest(key: [1], value: .int(1), options: plain))
      let status = try await admin.status(StatusRequest())
      #expect(status.idempotencyBytes > 50 && status.idempotencyWindowMs == 600_000)
    }
  }
}
