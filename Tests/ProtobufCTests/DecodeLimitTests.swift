import ExampleAPI
import ProtobufC
import RoostAPI
import Testing

@Suite("Decoding within the budget")
struct DecodeLimitTests {
  private static let frameBytes = 4 << 20

  private func expectOverBudget<V: MessageView>(_ type: V.Type, _ bytes: [UInt8]) {
    let arena = Arena()
    arena.beginCall()
    #expect(throws: DecodeError.overBudget(bytes: Arena.defaultBudgetBytes)) {
      try bytes.withUnsafeBytes { try V.decode($0, in: arena) }
    }
    #expect(arena.usedBytes <= Arena.defaultBudgetBytes)
    arena.reset()
    #expect(arena.retainedBlockBytes <= 1 << 20)
  }

  private func repeating(_ pattern: [UInt8]) -> [UInt8] {
    Array(repeatElement(pattern, count: Self.frameBytes / pattern.count).joined())
  }

  @Test("4 MiB of empty submessages fail, and take no more than the budget")
  func emptySubmessages() {
    expectOverBudget(BatchGetResponse.View.self, repeating([0x0a, 0x00]))
  }

  @Test("4 MiB of empty submessages in submessages fail, and take no more than the budget")
  func nestedEmptySubmessages() {
    expectOverBudget(TransactRequest.View.self, repeating([0x12, 0x02, 0x0a, 0x00]))
  }

  @Test(
    "4 MiB of unknown fields fail, and take no more than the budget",
    arguments: [[0x78, 0x01], [0x7a, 0x00], [0x7d, 1, 2, 3, 4]] as [[UInt8]])
  func unknownFields(pattern: [UInt8]) {
    expectOverBudget(GetRequest.View.self, repeating(pattern))
  }

  @Test("4 MiB of one singular field fail, and take no more than the budget")
  func repeatedSingularField() {
    expectOverBudget(GetRequest.View.self, repeating([0x0a, 0x01, 0x61]))
  }

  @Test("The largest ordinary messages decode within the budget")
  func ordinary() throws {
    let set = SetRequest(
      key: [UInt8](repeating: 1, count: 4096),
      value: Value(kind: .bytesValue([UInt8](repeating: 2, count: 3 << 20))))
    #expect(try SetRequest(decoding: try set.encoded()) == set)
    let push = PushRequest(items: (0..<1000).map { _ in [UInt8](repeating: 3, count: 4100) })
    #expect(try PushRequest(decoding: try push.encoded()) == push)
  }

  @Test("A trusted budget decodes what the default refuses")
  func trusted() throws {
    let response = ListRangeResponse(items: [[UInt8]](repeating: [7], count: 1_000_000))
    let bytes = try response.encoded()
    #expect(throws: DecodeError.self) { try ListRangeResponse(decoding: bytes) }
    let decoded = try ListRangeResponse(decoding: bytes, budgetBytes: Arena.trustedBudgetBytes)
    #expect(decoded == response)
  }

  @Test("One call over the budget leaves the arena good for the next")
  func nextCall() throws {
    let arena = Arena(budgetBytes: 64 << 10)
    arena.beginCall()
    let bad = repeating([0x0a, 0x00])
    #expect(throws: DecodeError.overBudget(bytes: 64 << 10)) {
      try bad.withUnsafeBytes { try BatchGetResponse.View.decode($0, in: arena) }
    }
    arena.beginCall()
    let good = try GetRequest(key: [1, 2, 3], keysOnly: true).encoded()
    let view = try good.withUnsafeBytes { try GetRequest.View.decode($0, in: arena) }
    #expect(Array(view.key) == [1, 2, 3])
    #expect(view.keysOnly)
  }

  @Test("Building a message over the budget fails")
  func building() {
    let arena = Arena(budgetBytes: 1000)
    let message = GetRequest(key: [UInt8](repeating: 0, count: 2000))
    #expect(throws: DecodeError.overBudget(bytes: 1000)) { try message.encoded(in: arena) }
  }
}
