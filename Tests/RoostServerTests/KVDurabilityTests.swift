import RoostAPI
import RoostServer
import RoostStore
import TTRPC
import Testing

/// What the log engine adds to the calls, over real sockets.
@Suite("KV with a log")
struct KVDurabilityTests {
  @Test(
    "Every durability is given under every policy, and Status tells how far it is",
    arguments: [SyncPolicy.always, .interval, .never])
  func durabilities(policy: SyncPolicy) async throws {
    try await TestServer.with(configure: { $0.sync = policy }) { server in
      let kv = try server.kv()
      for durability in [Durability.unspecified, .memory, .logged, .synced] {
        let options = WriteOptions(durability: durability)
        let key = [UInt8]("\(durability.rawValue)")
        let answer = try await kv.set(SetRequest(key: key, value: .int(1), options: options))
        let status = try await server.admin().status(StatusRequest())
        if durability == .synced || policy == .always && durability == .unspecified {
          #expect(status.durableRevision >= answer.revision)
        }
        #expect(status.engine == "log" && status.durableRevision <= status.revision)
        _ = try await kv.increment(IncrementRequest(key: key, delta: 1, options: options))
        _ = try await kv.touch(TouchRequest(key: key, options: options))
        _ = try await kv.deleteRange(
          DeleteRangeRequest(range: KeyRange(prefix: key), options: options))
        _ = try await kv.push(PushRequest(key: key, items: [[1], [2]], options: options))
        #expect(try await kv.pop(PopRequest(key: key, options: options)).items == [[2]])
        #expect(try await kv.delete(DeleteRequest(key: key, options: options)).deleted)
      }
    }
  }

  @Test("Under always what a call reads is durable when it is answered, failures included")
  func reads() async throws {
    try await TestServer.with(configure: {
      $0.sync = .always
      $0.threads = 2
    }) { server in
      let (writer, reader) = (try server.kv(), try server.kv())
      let admin = try server.admin()
      for round in 0..<50 {
        let key = [UInt8]("k")
        let memory = WriteOptions(durability: .memory)
        let written = try await writer.set(
          SetRequest(key: key, value: .int(Int64(round)), options: memory))
        let read = try await reader.get(GetRequest(key: key))
        #expect(read.entry?.revision == written.revision)
        let status = try await admin.status(StatusRequest())
        #expect(status.durableRevision >= written.revision, "round \(round)")
        let removed = try await writer.delete(DeleteRequest(key: key, options: memory))
        let absent = Condition(kind: .exists(true))
        #expect(
          await code {
            try await reader.set(SetRequest(key: key, value: .int(0), condition: absent))
          } == .notFound)
        #expect(try await admin.status(StatusRequest()).durableRevision >= removed.revision)
      }
    }
  }

  @Test("Snapshot needs the admin action, and says what it took")
  func snapshot() async throws {
    try await TestServer.with(configure: { _ in }) { server in
      let kv = try server.kv()
      for number in 0..<10 {
        _ = try await kv.set(SetRequest(key: [UInt8("\(number)".utf8.first!)], value: .int(1)))
      }
      let answer = try await server.admin().snapshot(SnapshotRequest())
      #expect(answer.entryCount == 10 && answer.revision >= 10 && answer.fileBytes > 0)
    }
    let writer = Principal(
      tokenID: "aaaaaaaa", name: "w", grants: [AccessGrant([.read, .write], prefix: [])])
    try await TestServer.with(principal: writer, configure: { _ in }) { server in
      #expect(
        await code { try await server.admin().snapshot(SnapshotRequest()) } == .permissionDenied)
    }
    try await TestServer.with { server in
      #expect(
        await code { try await server.admin().snapshot(SnapshotRequest()) }
          == .failedPrecondition)
    }
  }
}
