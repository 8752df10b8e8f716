import ProtobufC
import RoostAPI
import TTRPC
import Testing

@Suite struct KVPipelineTests {
  private let key = [UInt8]("k")

  private func call<Request: Message, Response>(
    _ method: Method<Request, Response>, _ request: Request
  ) throws -> WireConnection.Call {
    WireConnection.Call(method: method.descriptor, request: try request.encoded())
  }

  @Test("Calls that one connection sends for one key take effect in the order of sending")
  func order() async throws {
    try await TestServer.with { server in
      let wire = try server.connect()
      var calls: [WireConnection.Call] = []
      for index in 0..<200 {
        calls.append(
          try call(KV.Methods.set, SetRequest(key: key, value: .int(Int64(index)))))
        calls.append(try call(KV.Methods.increment, IncrementRequest(key: key, delta: 1000)))
        calls.append(try call(KV.Methods.get, GetRequest(key: key)))
        calls.append(try call(KV.Methods.delete, DeleteRequest(key: key)))
        calls.append(try call(KV.Methods.get, GetRequest(key: key)))
      }
      let answers = try await wire.exchange(calls)
      var revision: Int64 = 0
      for index in 0..<200 {
        let five = answers[index * 5..<index * 5 + 5].map(\.payload)
        let set = try SetResponse(decoding: five[0])
        #expect(set.created && set.revision > revision)
        revision = set.revision
        #expect(try IncrementResponse(decoding: five[1]).value == Int64(index + 1000))
        #expect(try GetResponse(decoding: five[2]).entry?.value == .int(Int64(index + 1000)))
        #expect(try DeleteResponse(decoding: five[3]).deleted)
        #expect(try GetResponse(decoding: five[4]).found == false)
      }
    }
  }

  @Test("A refused call between others does not disturb them")
  func refusedBetween() async throws {
    try await TestServer.with { server in
      let wire = try server.connect()
      let answers = try await wire.exchange([
        try call(KV.Methods.set, SetRequest(key: key, value: .int(1))),
        try call(KV.Methods.set, SetRequest(key: [], value: .int(2))),
        WireConnection.Call(method: KV.Methods.set.descriptor, request: [0xFF]),
        try call(KV.Methods.push, PushRequest(key: key, items: [[1]])),
        WireConnection.Call(
          method: MethodDescriptor(service: "roost.v1.KV", name: "Nothing"), request: []),
        try call(KV.Methods.get, GetRequest(key: key)),
      ])
      #expect(
        answers.map(\.code) == [
          .ok, .invalidArgument, .invalidArgument, .failedPrecondition, .unimplemented, .ok,
        ])
      #expect(try GetResponse(decoding: answers[5].payload).entry?.value == .int(1))
    }
  }

  @Test("Calls behind a long scan on the same connection are answered after it")
  func longScan() async throws {
    try await TestServer.with { server in
      let wire = try server.connect()
      let kv = KV.Client(wire)
      for index in 0..<300 { try await kv.set("k\(index)", .int(1)) }
      let answers = try await wire.exchange([
        try call(KV.Methods.scan, ScanRequest(pageSize: 10_000)),
        try call(KV.Methods.get, GetRequest(key: [UInt8]("k1"))),
        try call(
          KV.Methods.scan, ScanRequest(matchKind: .glob, pattern: [UInt8]("*"), pageSize: 10)),
      ])
      #expect(answers.allSatisfy { $0.code == .ok })
      #expect(try ScanResponse(decoding: answers[0].payload).entries.count == 300)
      #expect(try ScanResponse(decoding: answers[2].payload).entries.count == 10)
    }
  }

  @Test("Many answers of megabytes in one batch all arrive, in bounded memory")
  func largeAnswers() async throws {
    try await TestServer.with { server in
      let wire = try server.connect()
      let value = Value.bytes([UInt8](repeating: 5, count: 1 << 20))
      _ = try await KV.Client(wire).set(SetRequest(key: key, value: value))
      let get = try call(KV.Methods.get, GetRequest(key: key))
      let answers = try await wire.exchange(Array(repeating: get, count: 6))
      for answer in answers {
        #expect(answer.code == .ok)
        #expect(try GetResponse(decoding: answer.payload).entry?.value == value)
      }
    }
  }
}
