import Foundation
import RoostAPI
import TTRPC
import Testing

/// The data directory over the lives of real servers.
@Suite("roostd and its data", .serialized)
final class RoostdDataTests {
  private let directory = ScratchDirectory()

  private func start(_ arguments: String..., data: String = "data") async throws -> (
    RoostdProcess, WireClient
  ) {
    let process = try RoostdProcess(
      [
        "--listen", "tcp://127.0.0.1:0", "--auth", "off", "--data-dir", directory.file(data),
      ] + arguments)
    let address = try #require(await process.readyAddress())
    return (process, try WireClient(address))
  }

  private func fill(_ client: WireClient) throws {
    for number in 0..<100 {
      let request = SetRequest(
        key: [UInt8]("key:\(number)".utf8), value: Value(kind: .intValue(Int64(number))))
      #expect(try client.call(KV.Methods.set, request).code == .ok)
    }
    let push = PushRequest(key: [UInt8]("list".utf8), items: [[1], [2], [3]])
    #expect(try client.call(KV.Methods.push, push).code == .ok)
    let pop = PopRequest(key: [UInt8]("list".utf8), end: .front)
    #expect(try client.call(KV.Methods.pop, pop).code == .ok)
  }

  private func expectFilled(_ client: WireClient) throws {
    let count = try client.call(KV.Methods.count, CountRequest())
    #expect(count.response?.count == 101)
    let range = ListRangeRequest(key: [UInt8]("list".utf8), start: 0, stop: -1)
    #expect(try client.call(KV.Methods.listRange, range).response?.items == [[2], [3]])
    let entry = try client.call(KV.Methods.get, GetRequest(key: [UInt8]("key:42".utf8)))
    #expect(entry.response?.entry?.value?.kind == .intValue(42))
    #expect(entry.response?.entry?.revision == 43)
  }

  private func logFile(_ data: String = "data") throws -> String {
    let names = try FileManager.default.contentsOfDirectory(atPath: directory.file(data))
    return directory.file("\(data)/\(try #require(names.sorted().first { $0.hasPrefix("log-") }))")
  }

  @Test(
    "What was acknowledged is there after kill -9, under every policy",
    arguments: ["always", "interval", "never"])
  func kill(policy: String) async throws {
    let (first, client) = try await start("--sync", policy)
    try fill(client)
    first.signal(SIGKILL)
    _ = await first.ending()
    let (second, again) = try await start("--sync", policy)
    try expectFilled(again)
    second.signal(SIGTERM)
    #expect(await second.ending().exitCode == 0)
  }

  @Test("A second server on the directory exits 69 and names it")
  func inUse() async throws {
    let (first, client) = try await start()
    let second = try RoostdProcess([
      "--listen", "tcp://127.0.0.1:0", "--auth", "off", "--data-dir", directory.file("data"),
    ])
    let ending = await second.ending()
    #expect(ending.exitCode == 69 && ending.errors.contains("in use"), "\(ending)")
    try fill(client)
    let check = try await RoostdProcess.run(["check", directory.file("data")])
    #expect(check.exitCode == 69 && check.errors.contains("in use"), "\(check)")
    first.signal(SIGTERM)
    #expect(await first.ending().exitCode == 0)
  }

  @Test("Damage below the durable mark is named by server and check; repair saves the rest")
  func damage() async throws {
    let (first, client) = try await start("--sync", "always")
    try fill(client)
    first.signal(SIGTERM)
    #expect(await first.ending().exitCode == 0)
    let sound = try await RoostdProcess.run(["check", directory.file("data")])
    #expect(sound.exitCode == 0 && sound.output.contains("entries    101"), "\(sound)")

    let file = try logFile()
    var bytes = try Data(contentsOf: URL(filePath: file))
    let place = try #require(bytes.range(of: Data("key:42".utf8)))
    bytes[place.lowerBound] ^= 1
    try bytes.write(to: URL(filePath: file))
    for arguments in [
      ["check", directory.file("data")],
      ["--listen", "tcp://127.0.0.1:0", "--auth", "off", "--data-dir", directory.file("data")],
    ] {
      let ending = try await RoostdProcess.run(arguments)
      #expect(ending.exitCode == 65, "\(ending)")
      #expect(
        ending.errors.contains("is damaged at offset") && ending.errors.contains("log-")
          && ending.errors.contains("roostd repair"), "\(ending)")
    }
    let repair = try await RoostdProcess.run([
      "repair", directory.file("data"), "--into", directory.file("repaired"),
    ])
    #expect(repair.exitCode == 0 && repair.output.contains("lost  log-"), "\(repair)")
    #expect(repair.output.contains("saved 100 entries"), "\(repair)")
    #expect(try Data(contentsOf: URL(filePath: file)) == bytes)
    let (second, again) = try await start(data: "repaired")
    #expect(try again.call(KV.Methods.count, CountRequest()).response?.count == 100)
    second.signal(SIGTERM)
    #expect(await second.ending().exitCode == 0)
  }

  @Test("A snapshot alone is restored into a new directory")
  func restore() async throws {
    let (first, client) = try await start()
    try fill(client)
    #expect(try client.call(Admin.Methods.snapshot, SnapshotRequest()).code == .ok)
    first.signal(SIGTERM)
    #expect(await first.ending().exitCode == 0)
    let names = try FileManager.default.contentsOfDirectory(atPath: directory.file("data"))
    let snapshot = try #require(names.first { $0.hasPrefix("snapshot-") })
    try FileManager.default.copyItem(
      atPath: directory.file("data/\(snapshot)"), toPath: directory.file("backup"))
    let ending = try await RoostdProcess.run([
      "restore", directory.file("backup"), "--data-dir", directory.file("restored"),
    ])
    #expect(ending.exitCode == 0 && ending.output.contains("restored 101 entries"), "\(ending)")
    let (second, again) = try await start(data: "restored")
    try expectFilled(again)
    second.signal(SIGTERM)
    #expect(await second.ending().exitCode == 0)
    let twice = try await RoostdProcess.run([
      "restore", directory.file("backup"), "--data-dir", directory.file("restored"),
    ])
    #expect(twice.exitCode == 69 && twice.errors.contains("not empty"), "\(twice)")
  }
}
