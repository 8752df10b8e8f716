import Testing

@testable import roost

@Suite("Bytes as text")
struct ByteTextTests {
  @Test(
    "Hexadecimal digits of either case become bytes",
    arguments: [
      ("", []), ("00ff", [0, 255]), ("DEADbeef", [0xde, 0xad, 0xbe, 0xef]),
      ("0x61", [0x61]), ("de:ad be", [0xde, 0xad, 0xbe]),
    ] as [(String, [UInt8])])
  func readsHex(text: String, bytes: [UInt8]) throws {
    #expect(try HexText.bytes(text) == bytes)
  }

  @Test("What is not hexadecimal is refused", arguments: ["a", "0g", "é0", "0x1"])
  func refusesHex(text: String) {
    #expect(throws: UsageError.self) { try HexText.bytes(text) }
  }

  @Test("Every byte survives hexadecimal and base64")
  func roundTrips() throws {
    for count in 0...258 {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 167) }
      #expect(try HexText.bytes(HexText.text(bytes)) == bytes)
      #expect(try Base64Text.bytes(Base64Text.text(bytes)) == bytes)
    }
  }

  @Test(
    "Base64 is that of RFC 4648, section 10",
    arguments: [
      ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
      ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
    ])
  func knowsBase64(plain: String, encoded: String) throws {
    #expect(Base64Text.text(Array(plain.utf8)) == encoded)
    #expect(try Base64Text.bytes(encoded) == Array(plain.utf8))
  }

  @Test("What is not base64 is refused", arguments: ["Z", "Zg=a", "Zm9vY", "Z*=="])
  func refusesBase64(text: String) {
    #expect(throws: UsageError.self) { try Base64Text.bytes(text) }
  }

  @Test(
    "A line shows any bytes without a control character, and a backslash is unmistakable",
    arguments: [
      ("plain".bytes, "plain"), ("a\tb\nc\r\\".bytes, "a\\tb\\nc\\r\\\\"),
      ([0, 0x1b, 0x7f], "\\x00\\x1b\\x7f"), ([0xff, 0x61, 0xc3], "\\xffa\\xc3"),
      ("é漢🙂".bytes, "é漢🙂"), ([0xc2, 0x9b], "\\xc2\\x9b"), ([0xed, 0xa0, 0x80], "\\xed\\xa0\\x80"),
      ("a\u{202e}b".bytes, "a\\xe2\\x80\\xaeb"), ([0xe2, 0x82], "\\xe2\\x82"), ([], ""),
      ([0xf4, 0x90, 0x80, 0x80], "\\xf4\\x90\\x80\\x80"),
    ] as [([UInt8], String)])
  func escapes(bytes: [UInt8], line: String) {
    #expect(EscapedText.line(bytes) == line)
  }

  @Test("A value shown alone keeps its line breaks and backslashes, and no escape sequence")
  func escapesBlocks() {
    #expect(EscapedText.block("a\\\n\tb\u{1b}[31m\0".bytes) == "a\\\n\tb\\x1b[31m\\x00")
  }
}

extension String {
  var bytes: [UInt8] { Array(utf8) }
}
