import ProtobufC
import RoostAPI
import TTRPC
import Testing

@Suite struct KVEncodingTests {
  /// The answer's bytes, which must be those that libprotobuf-c makes of the same message.
  private func exchange<Request: Message, Response: Message>(
    _ wire: WireConnection, _ method: Method<Request, Response>, _ request: Request
  ) async throws -> Response {
    let call = WireConnection.Call(method: method.descriptor, request: try request.encoded())
    let answer = try await wire.exchange([call])[0]
    let message = try Response(decoding: answer.payload)
    #expect(answer.payload == (try message.encoded()))
    return message
  }

  @Test(
    "Answers that are encoded by hand are byte for byte libprotobuf-c's",
    arguments: [
      Value.Kind.bytesValue([]), .bytesValue([7]), .textValue([UInt8](repeating: 97, count: 127)),
      .textValue([UInt8](repeating: 97, count: 128)), .intValue(0), .intValue(-1), .intValue(.max),
      .bytesValue([UInt8](repeating: 1, count: 16_383)),
      .bytesValue([UInt8](repeating: 1, count: 16_384)),
      .bytesValue([UInt8](repeating: 1, count: 1 << 20)), .doubleValue(0), .doubleValue(-.zero),
      .doubleValue(1.5), .boolValue(false), .boolValue(true), .listValue(ListValue()),
      .listValue(ListValue(items: [[], [1]])),
    ])
  func answers(kind: Value.Kind) async throws {
    try await TestServer.with { server in
      let wire = try server.connect()
      let key = [UInt8]("k")
      for expiration in [nil, Expiration(kind: .ttlMs(5000))] {
        for isPreviousWanted in [false, true] {
          let request = SetRequest(
            key: key, value: Value(kind: kind), expiration: expiration,
            options: WriteOptions(returnPrevious: isPreviousWanted))
          _ = try await exchange(wire, KV.Methods.set, request)
        }
        for isKeysOnly in [false, true] {
          let get = GetRequest(key: key, keysOnly: isKeysOnly)
          let entry = try await exchange(wire, KV.Methods.get, get).entry
          #expect(isKeysOnly || entry == nil || entry?.value?.kind == kind)
        }
      }
      _ = try await exchange(wire, KV.Methods.get, GetRequest(key: [UInt8]("missing")))
      _ = try await exchange(wire, KV.Methods.delete, DeleteRequest(key: key))
    }
  }
}
