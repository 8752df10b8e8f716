import ExampleAPI
import ProtobufC
import Testing

@Suite("Strings")
struct StringTests {
  private static let strings = [
    "", "\0", "a\0", "\0b", "a\0b\0\0c", "plain", "zwölf Größen", "日本語", "👩‍👩‍👧‍👦\0👍",
    String(repeating: "é\0", count: 5000),
  ]

  @Test("A string keeps its NUL bytes through encode and decode", arguments: strings)
  func singular(_ string: String) throws {
    let message = Scalars(int32Field: 5, stringField: string, bytesField: [1])
    #expect(try Scalars(decoding: try message.encoded()) == message)
  }

  @Test("A string in a oneof keeps its NUL bytes", arguments: strings)
  func oneof(_ string: String) throws {
    let message = Choice(value: .text(string), note: .remark(string), after: string)
    #expect(try Choice(decoding: try message.encoded()) == message)
  }

  @Test("Repeated strings keep their NUL bytes and their order")
  func repeated() throws {
    let message = Lists(int32Field: [1], stringField: Self.strings)
    #expect(try Lists(decoding: try message.encoded()) == message)
  }

  @Test("A view's string has its true length, without the NUL byte behind it")
  func view() throws {
    let bytes = try Scalars(stringField: "a\0b").encoded()
    let arena = Arena()
    let view = try bytes.withUnsafeBytes { try Scalars.View.decode($0, in: arena) }
    #expect(Array(view.stringField) == [0x61, 0, 0x62])
    let empty = try [].withUnsafeBytes { try Scalars.View.decode($0, in: arena) }
    #expect(empty.stringField.isEmpty)
  }

  /// Ill-formed in each of the ways of Unicode's table 3-7.
  private static let illFormed: [[UInt8]] = [
    [0x80], [0xbf], [0xc0, 0xaf], [0xc1, 0x81], [0xc3], [0xc3, 0x28], [0xe0, 0x9f, 0xbf],
    [0xe2, 0x82], [0xe2, 0x28, 0xa1], [0xed, 0xa0, 0x80], [0xed, 0xbf, 0xbf],
    [0xf0, 0x8f, 0xbf, 0xbf], [0xf0, 0x9f, 0x98], [0xf4, 0x90, 0x80, 0x80],
    [0xf5, 0x80, 0x80, 0x80],
    [0xfe], [0xff], Array("twelve letters".utf8) + [0xff], [0xff] + Array("twelve letters".utf8),
  ]

  private func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] {
    [number << 3 | 2, UInt8(bytes.count)] + bytes
  }

  @Test("Invalid UTF-8 is an error wherever the string is", arguments: illFormed)
  func invalid(_ bytes: [UInt8]) {
    #expect(throws: DecodeError.invalidUTF8) { try Scalars(decoding: field(14, bytes)) }
    #expect(throws: DecodeError.invalidUTF8) { try Choice(decoding: field(5, bytes)) }
    #expect(throws: DecodeError.invalidUTF8) {
      try Lists(decoding: field(14, [0x61]) + field(14, bytes))
    }
    #expect(throws: DecodeError.invalidUTF8) { try Choice(decoding: field(8, field(14, bytes))) }
    let inList: [UInt8] = [0x8a, 0x01, UInt8(bytes.count + 2)] + field(14, bytes)
    #expect(throws: DecodeError.invalidUTF8) { try Lists(decoding: inList) }
  }

  @Test("Bytes need not be UTF-8", arguments: illFormed)
  func bytesAreFree(_ bytes: [UInt8]) throws {
    #expect(try Scalars(decoding: field(15, bytes)).bytesField == bytes)
  }

  @Test("UTF-8 is judged as Swift judges it", arguments: 0..<4 as Range<UInt64>)
  func agreesWithSwift(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    for _ in 0..<1000 {
      let alphabet: [UInt8] = [0x00, 0x41, 0x80, 0xbf, 0xc2, 0xe0, 0xa0, 0xed, 0xf0, 0x90, 0xf4]
      let count = Int.random(in: 0...20, using: &random)
      let bytes = (0..<count).map { _ in alphabet.randomElement(using: &random)! }
      let expected = String(validating: bytes, as: UTF8.self) != nil
      #expect(
        bytes.withUnsafeBytes { MessageStrings.isValidUTF8($0) } == expected, "seed \(seed)")
    }
  }
}
