import Foundation
import Glibc
import ProtobufC
import RoostAPI
import TTRPC
import TTRPCTestSupport
import TestSupport
import Testing

private typealias Frames = TTRPCTestSupport.Wire

/// In a module of their own: they keep the processor busy, and others' sockets would wait for it.
/// What peers can do to a `roostd` process, measured from outside of it.
@Suite("Peers that want too much of a roostd process", .serialized)
struct HostilePeerTests {
  private static let maxConnectionBytes = 64 << 20

  /// A process that serves everybody, and its port.
  private struct Served: Sendable {
    let process: RoostdProcess
    let port: UInt16

    func connect() throws -> BlockingClient { try BlockingClient(port: port) }

    /// Waits until no other connection than this one is left.
    func waitUntilAlone(_ client: BlockingClient) throws {
      while try client.status().connectionCount > 1 {}
    }
  }

  /// Serves while `body` runs, which blocks on a thread of its own; then the process ends with 0.
  private func serve(
    softDescriptorLimit: Int? = nil, _ body: @escaping @Sendable (Served) throws -> Void
  ) async throws {
    let process = try await RoostdProcess.start(
      arguments: ["--auth", "off", "--threads", "1", "--log-level", "error"],
      softDescriptorLimit: softDescriptorLimit)
    let port = try #require(process.endpoint.split(separator: ":").last.flatMap { UInt16($0) })
    try await onOwnThread { try body(Served(process: process, port: port)) }
    #expect(try await process.stop() == 0)
  }

  private static let everyMethod =
    KV.Methods.all + Auth.Methods.all + Admin.Methods.all + Watch.Methods.all

  /// As often as it fits into `byteCount`, by doubling: tests are not built for speed.
  private static func fill(_ unit: [UInt8], _ byteCount: Int) -> [UInt8] {
    var bytes = unit
    while bytes.count * 2 <= byteCount { bytes += bytes }
    return bytes + bytes.prefix((byteCount - bytes.count) / unit.count * unit.count)
  }

  @Test(
    "4 MiB of empty messages or unknown fields take less than 64 MiB, in each method",
    .timeLimit(.minutes(2)),
    arguments: [[0x7A, 0], [0x78, 0], [0x0A, 0], [0x12, 0]] as [[UInt8]])
  func decodingBombs(unit: [UInt8]) async throws {
    try await serve { server in
      let (client, other) = (try server.connect(), try server.connect())
      let bomb = Self.fill(unit, (4 << 20) - 128)
      #expect(try other.ping())
      let before = try server.process.residentBytes()
      try server.process.forgetPeak()
      for method in Self.everyMethod {
        let frame = Frames.request(service: method.service, method: method.name, payload: bomb)
        let answer = try #require(try client.call(frame))
        let isUnknown = unit[0] >> 3 == 15
        if answer.code != .unimplemented {
          #expect(!isUnknown || answer.code == .resourceExhausted, "\(method.name): \(answer)")
        }
        #expect(![.internal, .unknown, .unavailable].contains(answer.code), "\(method.name)")
        #expect(try other.ping())
      }
      let peak = try server.process.peakResidentBytes()
      #expect(peak - before < Self.maxConnectionBytes)
    }
  }

  @Test("Large envelopes take less than 64 MiB: metadata, names, unknown fields")
  func envelopeBombs() async throws {
    try await serve { server in
      let (client, other) = (try server.connect(), try server.connect())
      let ping = Frames.envelope(service: "roost.v1.Admin", method: "Ping")
      let name = String(repeating: "é", count: 1 << 20)
      func fill(_ unit: [UInt8]) -> [UInt8] { Self.fill(unit, (4 << 20) - ping.count) }
      let metadata = (0..<100_000).map { ("key\($0)", "value") }
      #expect(try other.ping())
      let before = try server.process.residentBytes()
      try server.process.forgetPeak()
      for (envelope, code) in [
        (ping + fill([0x2A, 0]), StatusCode.resourceExhausted), (ping + fill([0x7A, 0]), .ok),
        (
          Frames.envelope(service: "roost.v1.Admin", method: "Ping", metadata: metadata),
          .resourceExhausted
        ),
        (Frames.envelope(service: name, method: "Ping"), .unimplemented),
        (Frames.envelope(service: "roost.v1.Admin", method: name), .unimplemented),
      ] {
        #expect(try client.call(Frames.frame(envelope))?.code == code)
        #expect(try other.ping())
      }
      let peak = try server.process.peakResidentBytes()
      #expect(peak - before < Self.maxConnectionBytes)
    }
  }

  @Test("Requests that wait for their turn beside the loop take less than 64 MiB")
  func waitingScans() async throws {
    try await serve { server in
      let (client, other) = (try server.connect(), try server.connect())
      let key = [UInt8](repeating: 97, count: 4_000)
      for first in stride(from: UInt8(0), to: 200, by: 100) {
        let steps = (first..<first + 100).map {
          RoostAPI.Operation(
            kind: .set(SetRequest(key: key + [$0], value: Value(kind: .intValue(1)))))
        }
        let frame = Frames.call(KV.Methods.transact, TransactRequest(success: steps))
        #expect(try client.call(frame)?.code == .ok)
      }
      let slow = ScanRequest(matchKind: .regex, pattern: Array("(a|b)*a(a|b){90}x$".utf8))
      let padding = Frames.field(99, [UInt8](repeating: 0, count: (4 << 20) - 1_000))
      let before = try server.process.residentBytes()
      try server.process.forgetPeak()
      let count = 48 as UInt32
      for index in 0..<count {
        let payload = try slow.encoded() + padding
        try client.send(Frames.call(KV.Methods.scan.descriptor, payload, stream: index * 2 + 1))
      }
      #expect(try other.ping())
      let codes = Set(try client.receive(Int(count)).map(\.code))
      #expect(codes.isSubset(of: [.ok, .resourceExhausted]))
      let peak = try server.process.peakResidentBytes()
      #expect(peak - before < Self.maxConnectionBytes)
      #expect(try client.call(Frames.call(KV.Methods.scan, slow))?.code == .ok)
    }
  }

  @Test(
    "A peer that never reads holds less than 64 MiB, others go on, and all of it comes back",
    .timeLimit(.minutes(1)), arguments: [KV.Methods.get.descriptor, KV.Methods.scan.descriptor])
  func neverReads(method: MethodDescriptor) async throws {
    try await serve { server in
      let other = try server.connect()
      let value = Value(kind: .bytesValue([UInt8](repeating: 1, count: 1 << 20)))
      let key: [UInt8] = [1]
      let set = Frames.call(KV.Methods.set, SetRequest(key: key, value: value))
      #expect(try other.call(set)?.code == .ok)
      let request =
        method == KV.Methods.get.descriptor
        ? try GetRequest(key: key).encoded() : try ScanRequest(pageSize: 1_000).encoded()
      let before = try server.process.residentBytes()
      try server.process.forgetPeak()
      do {
        let client = try server.connect()
        let calls = (0..<200 as Range<UInt32>).flatMap {
          Frames.call(method, request, stream: $0 * 2 + 1)
        }
        try client.send(calls)
        // The kernel holds some answers, the server the rest of what it may.
        for _ in 0..<500 { #expect(try other.ping()) }
        let first = try client.receive(1).first
        #expect(first?.code == .ok)
      }
      try server.waitUntilAlone(other)
      let peak = try server.process.peakResidentBytes()
      #expect(peak - before < Self.maxConnectionBytes)
    }
  }

  @Test("Peers that vanish in the middle of a request leave no memory and no descriptors behind")
  func vanish() async throws {
    try await serve { server in
      let other = try server.connect()
      let set = SetRequest(
        key: [1], value: Value(kind: .bytesValue([UInt8](repeating: 1, count: 1 << 20))))
      let request = Frames.call(KV.Methods.set, set)
      func round(_ count: Int) throws {
        for index in 0..<count {
          let client = try server.connect()
          try client.send(Array(request.prefix(index % 2 == 0 ? request.count - 1 : 1 + index)))
        }
        try server.waitUntilAlone(other)
      }
      try round(20)
      let descriptors = try server.process.descriptorCount()
      let before = try server.process.residentBytes()
      try round(200)
      #expect(try server.process.descriptorCount() == descriptors)
      #expect(try server.process.residentBytes() - before < 16 << 20)
      #expect(try other.status().keyCount == 0)
    }
  }

  @Test("5,000 idle connections cost little, and another one is served all the while")
  func idleConnections() async throws {
    let count = 5_000
    try raiseDescriptorLimit(to: count + 500)
    try await serve(softDescriptorLimit: 256) { server in
      let other = try server.connect()
      #expect(try other.ping())
      let descriptors = try server.process.descriptorCount()
      let before = try server.process.residentBytes()
      do {
        var idle: [BlockingClient] = []
        for index in 0..<count {
          idle.append(try server.connect())
          if index % 50 == 0 { #expect(try other.ping()) }
        }
        while try other.status().connectionCount < Int64(count) + 1 {}
        for client in idle { #expect(try client.ping()) }
        #expect(try other.ping())
        #expect((try server.process.residentBytes() - before) / count < 8 << 10)
        // The whole lot is there still.
        #expect(try other.status().connectionCount == Int64(count) + 1)
      }
      try server.waitUntilAlone(other)
      #expect(try server.process.descriptorCount() == descriptors)
    }
  }

  /// Of this process, which has the other ends.
  private func raiseDescriptorLimit(to count: Int) throws {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    guard limit.rlim_cur < count else { return }
    try #require(limit.rlim_max >= count, "raise the hard limit of open files: ulimit -Hn")
    limit.rlim_cur = rlim_t(count)
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }
}

extension Frames {
  fileprivate static func call(
    _ method: MethodDescriptor, _ payload: [UInt8], stream: UInt32 = 1
  ) -> [UInt8] {
    request(stream: stream, service: method.service, method: method.name, payload: payload)
  }

  fileprivate static func call<Request: Message, Response>(
    _ method: Method<Request, Response>, _ request: Request
  ) -> [UInt8] {
    call(method.descriptor, try! request.encoded())
  }
}

extension BlockingClient {
  /// Whether the server answers at all.
  fileprivate func ping() throws -> Bool {
    try call(Frames.call(Admin.Methods.ping, PingRequest()))?.code == .ok
  }

  fileprivate func status() throws -> StatusResponse {
    let answer = try call(Frames.call(Admin.Methods.status, StatusRequest()))
    guard let answer, answer.code == .ok else { throw RPCError(.unavailable, "no status") }
    return try StatusResponse(decoding: answer.payload)
  }
}

extension RoostdProcess {
  private var pid: pid_t { process.processIdentifier }

  /// What the process has in memory.
  fileprivate func residentBytes() throws -> Int { try kibibytes("VmRSS:") << 10 }

  /// The most that it had since `forgetPeak`.
  fileprivate func peakResidentBytes() throws -> Int { try kibibytes("VmHWM:") << 10 }

  /// `proc(5)`: writing 5 resets the peak.
  fileprivate func forgetPeak() throws {
    try "5".write(toFile: "/proc/\(pid)/clear_refs", atomically: false, encoding: .utf8)
  }

  /// What it has open.
  fileprivate func descriptorCount() throws -> Int {
    try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count
  }

  private func kibibytes(_ field: String) throws -> Int {
    let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
    let line = status.split(separator: "\n").first { $0.hasPrefix(field) }
    let words = line?.split(whereSeparator: \.isWhitespace) ?? []
    return try #require(words.dropFirst().first.flatMap { Int($0) })
  }
}
