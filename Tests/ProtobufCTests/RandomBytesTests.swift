import ExampleAPI
import ProtobufC
import RoostAPI
import Testing

/// Decodes what it is given; what decodes must encode again, to something that decodes to the
/// same message.
private func exercise<M: Message>(_ type: M.Type, _ bytes: [UInt8]) throws {
  let message: M
  do {
    message = try M(decoding: bytes, budgetBytes: 1 << 20)
  } catch {
    return
  }
  let again = try M(decoding: try message.encoded())
  // NaN is not equal to itself; its bytes are.
  #expect(try again.encoded() == message.encoded())
}

@Suite("Bytes that no peer should send")
struct RandomBytesTests {
  private static let types: [any Message.Type] = [
    Scalars.self, Lists.self, Choice.self, Names.self, EchoMessage.self, Empty.self,
    SetRequest.self, TransactRequest.self, ScanResponse.self, CreateTokenRequest.self,
  ]

  @Test("Random bytes decode or fail, and never crash", arguments: 0..<20 as Range<UInt64>)
  func random(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    for _ in 0..<300 {
      let bytes = random.bytes(Int.random(in: 0...64, using: &random))
      for type in Self.types { try exercise(type, bytes) }
    }
  }

  @Test("Random fields of the right numbers decode or fail", arguments: 0..<20 as Range<UInt64>)
  func plausible(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    for _ in 0..<300 {
      let bytes = (0..<Int.random(in: 0...12, using: &random)).flatMap { _ in
        field(&random)
      }
      for type in Self.types { try exercise(type, bytes) }
    }
  }

  private func field(_ random: inout SeededRandom) -> [UInt8] {
    let number = UInt8.random(in: 1...15, using: &random)
    switch Int.random(in: 0...4, using: &random) {
    case 0: return [number << 3, random.bytes(1)[0] & 0x7f]
    case 1: return [number << 3 | 1] + random.bytes(8)
    case 2: return [number << 3 | 5] + random.bytes(4)
    default:
      let count = Int.random(in: 0...20, using: &random)
      return [number << 3 | 2, UInt8(count)] + random.bytes(count)
    }
  }

  @Test("A message cut anywhere, or with one byte changed, decodes or fails")
  func mutations() throws {
    var random = SeededRandom(seed: 7)
    let nested = Choice.Nested(
      deeper: .init(state: .wet, history: [.dry, .wet]), layers: [.init(), .init(state: .dry)])
    let message = EchoMessage(
      payload: [1, 2, 3], scalars: Scalars(doubleField: 1.5, boolField: true, stringField: "ü\0"),
      lists: Lists(
        int64Field: [1, -1, .max], stringField: ["a", "b"], messageField: [Scalars(), Scalars()],
        unpackedField: [1, 2, 3]),
      choice: Choice(value: .nested(nested), note: .remark("r")))
    let bytes = try message.encoded()
    for count in 0..<bytes.count { try exercise(EchoMessage.self, Array(bytes[..<count])) }
    for index in bytes.indices {
      for _ in 0..<8 {
        var changed = bytes
        changed[index] = random.bytes(1)[0]
        try exercise(EchoMessage.self, changed)
      }
    }
  }

  @Test(
    "Lengths that point beyond the end, and endless varints, are malformed",
    arguments: [
      [0x0a], [0x0a, 0x05, 0x01], [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f],
      [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
      [UInt8](repeating: 0xff, count: 11), [0x08], [0x0b], [0x0c], [0x00], [0x02, 0x00],
    ] as [[UInt8]])
  func malformed(_ bytes: [UInt8]) {
    #expect(throws: DecodeError.malformed) { try EchoMessage(decoding: bytes) }
  }

  @Test("A oneof's last member wins, and an unknown one reads as not set")
  func oneofs() throws {
    let both = try Choice(value: .number(1)).encoded() + Choice(value: .text("x")).encoded()
    #expect(try Choice(decoding: both).value == .text("x"))
    #expect(try Choice(decoding: [0x78, 0x01]).value == nil)
  }

  @Test("An enum's unknown number is kept")
  func openEnums() throws {
    let message = Scalars(qualityField: .unrecognized(77))
    #expect(try Scalars(decoding: try message.encoded()) == message)
    let list = Lists(qualityField: [.unrecognized(-5), .broken, .checked])
    #expect(try Lists(decoding: try list.encoded()) == list)
  }

  @Test("Packed and unpacked lists are both read, whatever was declared")
  func packing() throws {
    #expect(try Lists(decoding: [0x18, 1, 0x18, 2, 0x1a, 2, 3, 4]).int32Field == [1, 2, 3, 4])
    #expect(try Lists(decoding: [0xc2, 0x3e, 2, 2, 3]).unpackedField == [1, -2])
  }
}
