import CTTRPCProtos
import ProtobufC
import TTRPCTestSupport
import Testing

@testable import TTRPC

@Suite("Request envelopes")
struct ServerEnvelopeTests {
  private let harness = TickHarness()
  private var peer: TestPeer { harness.peers.first ?? harness.connect() }

  @Test(
    "An unknown service and an unknown method are UNIMPLEMENTED, and named",
    arguments: [
      ("test.Nothing", "Echo"), ("test.Echo", "Nothing"), ("", ""), ("test.Echo", ""),
      ("test.Echo\0", "Echo"), ("test.Echo", "Echo\0"), ("test.Ech", "oEcho"),
    ])
  func unknownNames(service: String, method: String) {
    let known = Wire.request(stream: 3)
    let answers = harness.exchange(
      peer, known + Wire.request(stream: 5, service: service, method: method))
    #expect(answers.map(\.code) == [.ok, .unimplemented])
    #expect(answers.last?.message.contains("is unknown") == true)
  }

  @Test("Names of 4 MiB do not come back whole")
  func longNames() {
    let name = String(repeating: "x", count: 1 << 20)
    let answers = harness.exchange(peer, Wire.request(service: name, method: name))
    #expect(answers.map(\.code) == [.unimplemented])
    #expect(answers[0].message.utf8.count < 1_000)
  }

  @Test("An envelope cut anywhere is INVALID_ARGUMENT, or a shorter call")
  func truncated() {
    let envelope = Wire.envelope(
      payload: [1, 2, 3], timeoutNanos: 5_000_000_000, metadata: [("key", "value")])
    for count in 0..<envelope.count {
      let answers = harness.exchange(peer, Wire.frame(Array(envelope[..<count])))
      #expect(answers.count == 1)
      #expect([.ok, .invalidArgument, .unimplemented].contains(answers[0].code), "\(count) bytes")
    }
  }

  @Test("Random bytes in an envelope are answered", arguments: 1...30)
  func randomEnvelopes(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<200 {
      let data = random.bytes(Int.random(in: 0...64, using: &random))
      #expect(harness.exchange(peer, Wire.frame(data)).count == 1, "seed \(seed): \(data)")
    }
  }

  @Test("The order of fields, unknown fields and repeated ones do not matter")
  func fieldOrder() {
    let unknown = Wire.field(9, [1, 2]) + Wire.field(10, integer: 3) + [0x5d, 1, 2, 3, 4]
    let envelope =
      Wire.field(3, [1]) + unknown + Wire.field(2, "Nothing") + Wire.field(1, "test.Echo")
      + Wire.field(2, "Echo") + Wire.field(3, [2])
    #expect(harness.exchange(peer, Wire.frame(envelope)) == [WireAnswer(payload: [2])])
    // Also behind the names that the connection used last.
    let renamed = Wire.envelope() + Wire.field(2, "Nothing")
    #expect(harness.exchange(peer, Wire.frame(renamed)).map(\.code) == [.unimplemented])
  }

  @Test(
    "4 MiB of empty fields take next to no memory",
    arguments: [
      [UInt8(0x2a), 0], [0x7a, 0], [0x0a, 0],
    ])
  func manyEmptyFields(field: [UInt8]) {
    let count = (FrameHeader.maxDataBytes - 64) / field.count
    var data = Wire.envelope()
    for _ in 0..<count { data += field }
    let answers = harness.exchange(peer, Wire.frame(data))
    // Metadata has its limit; unknown fields are skipped; an empty service is an unknown one.
    #expect(
      answers.map(\.code).allSatisfy { [.resourceExhausted, .ok, .unimplemented].contains($0) })
    #expect(answers.count == 1)
    #expect(harness.loop.arena.usedBytes == 0)
    #expect(harness.echo.executedCount == (field == [0x7a, 0] ? 1 : 0))
  }

  @Test("100,000 metadata entries are RESOURCE_EXHAUSTED")
  func manyMetadataEntries() {
    let metadata = (0..<100_000).map { ("key\($0)", "value") }
    let answers = harness.exchange(peer, Wire.request(metadata: metadata))
    #expect(answers.map(\.code) == [.resourceExhausted])
    #expect(harness.echo.executedCount == 0)
  }

  @Test("8 KiB of metadata are allowed, and one byte more is not", arguments: [0, 1])
  func metadataLimit(extra: Int) {
    // Each pair has five bytes beside key and value, and one of long lengths seven.
    let value = String(repeating: "v", count: (8 << 10) - 7 - 1 - 1 + extra)
    let request = Wire.request(metadata: [("k", value)])
    let pairBytes = request.count - Wire.request().count
    #expect(pairBytes == (8 << 10) + extra)
    let answers = harness.exchange(peer, request)
    #expect(answers.map(\.code) == [extra == 0 ? .ok : .resourceExhausted])
  }

  @Test("Handlers see metadata in its order, bytes as they are")
  func metadataView() {
    var seen: [String] = []
    let harness = TickHarness {
      $0.register(
        inline: ClosureHandler { call, response in
          seen = call.metadata.map {
            "\(String(decoding: $0.key, as: UTF8.self))=\($0.value.count)"
          }
          let token = call.metadata.first("token").map { [UInt8]($0) }
          (token ?? []).withUnsafeBytes { response.respond($0) }
        }, for: .other)
    }
    let envelope =
      Wire.envelope(method: "Other", metadata: [("a", "1"), ("token", "x\0y")])
      + Wire.field(9, [1]) + Wire.field(5, Wire.field(1, "token")) + Wire.field(5, [])
    let answers = harness.exchange(harness.connect(), Wire.frame(envelope))
    #expect(answers == [WireAnswer(payload: Array("x\0y".utf8))])
    #expect(seen == ["a=1", "token=3", "token=0", "=0"])
  }

  @Test("What libprotobuf-c reads, the machine reads the same", arguments: 1...50)
  func agreesWithLibrary(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let arena = Arena()
    for _ in 0..<300 {
      let (data, isDamaged) = randomEnvelope(&random)
      arena.reset()
      let message = data.withUnsafeBufferPointer {
        ttrpc__request__unpack(arena.allocator, $0.count, $0.baseAddress)
      }
      data.withUnsafeBytes { bytes in
        var envelope = RequestEnvelope()
        guard envelope.read(bytes, from: 0) else {
          #expect(isDamaged, "seed \(seed): \(data)")
          return
        }
        guard let message = message?.pointee else { return }
        #expect(same(envelope.service, message.service))
        #expect(same(envelope.method, message.method))
        #expect(same(envelope.payload, message.payload))
        #expect(envelope.timeoutNanos == message.timeout_nano)
        let pairs = Array(MetadataView(unsafe: envelope.metadataFields))
        #expect(pairs.count == message.n_metadata, "seed \(seed): \(data)")
        for (index, pair) in pairs.enumerated() where index < message.n_metadata {
          #expect(same(pair.key, message.metadata[index]!.pointee.key))
          #expect(same(pair.value, message.metadata[index]!.pointee.value))
        }
      }
    }
  }

  private func same(_ bytes: UnsafeRawBufferPointer, _ data: ProtobufCBinaryData) -> Bool {
    bytes.elementsEqual(UnsafeRawBufferPointer(start: data.data, count: data.len))
  }

  /// Fields in any order, known and unknown, some of them damaged.
  private func randomEnvelope(_ random: inout SeededGenerator) -> ([UInt8], isDamaged: Bool) {
    var data: [UInt8] = []
    for _ in 0..<Int.random(in: 0...7, using: &random) {
      let bytes = random.bytes(Int.random(in: 0...12, using: &random))
      switch Int.random(in: 0...6, using: &random) {
      case 0: data += Wire.field(4, integer: Int64.random(in: .min ... .max, using: &random))
      case 1: data += Wire.field(5, Wire.field(1, bytes) + Wire.field(2, bytes))
      case 2: data += Wire.field(UInt64.random(in: 6...3000, using: &random), bytes)
      case 3: data += Wire.varint(7 << 3 | 5) + random.bytes(4)
      default: data += Wire.field(UInt64.random(in: 1...3, using: &random), bytes)
      }
    }
    let isDamaged = !data.isEmpty && Int.random(in: 0...3, using: &random) == 0
    if isDamaged { data[Int.random(in: 0..<data.count, using: &random)] ^= random.bytes(1)[0] }
    return (data, isDamaged)
  }
}
