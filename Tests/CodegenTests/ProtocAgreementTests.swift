import ExampleAPI
import ProtobufC
import Testing

/// The same message as protoc's text format says it and as Swift does.
private func agree<M: Message>(_ message: M, _ text: String, as type: String) throws {
  let bytes = try Protoc.encode(text, as: type)
  #expect(try M(decoding: bytes) == message)
  #expect(try message.encoded() == bytes)
  let back = try Protoc.decode(try message.encoded(), as: type)
  #expect(try Protoc.encode(back, as: type) == bytes)
}

@Suite("The bytes agree with protoc's")
struct ProtocAgreementTests {
  @Test("An empty message is no bytes")
  func empty() throws {
    try agree(Scalars(), "", as: "Scalars")
    try agree(Choice(), "", as: "Choice")
  }

  @Test("Every scalar type, at its lowest")
  func lowest() throws {
    let message = Scalars(
      doubleField: -.infinity, floatField: -.infinity, int32Field: .min, int64Field: .min,
      uint32Field: 1, uint64Field: 1, sint32Field: .min, sint64Field: .min, fixed32Field: 1,
      fixed64Field: 1, sfixed32Field: .min, sfixed64Field: .min, boolField: true,
      stringField: " ", bytesField: [0], qualityField: .broken)
    let text = #"""
      double_field: -inf float_field: -inf int32_field: -2147483648
      int64_field: -9223372036854775808 uint32_field: 1 uint64_field: 1
      sint32_field: -2147483648 sint64_field: -9223372036854775808 fixed32_field: 1
      fixed64_field: 1 sfixed32_field: -2147483648 sfixed64_field: -9223372036854775808
      bool_field: true string_field: " " bytes_field: "\000" quality_field: QUALITY_BROKEN
      """#
    try agree(message, text, as: "Scalars")
  }

  @Test("Every scalar type, at its highest")
  func highest() throws {
    let message = Scalars(
      doubleField: .greatestFiniteMagnitude, floatField: .infinity, int32Field: .max,
      int64Field: .max, uint32Field: .max, uint64Field: .max, sint32Field: .max,
      sint64Field: .max, fixed32Field: .max, fixed64Field: .max, sfixed32Field: .max,
      sfixed64Field: .max, boolField: true, stringField: "é 日本 👍",
      bytesField: [0xff, 0x22, 0x0a], qualityField: .checked)
    let text = #"""
      double_field: 1.7976931348623157e308 float_field: inf int32_field: 2147483647
      int64_field: 9223372036854775807 uint32_field: 4294967295
      uint64_field: 18446744073709551615 sint32_field: 2147483647
      sint64_field: 9223372036854775807 fixed32_field: 4294967295
      fixed64_field: 18446744073709551615 sfixed32_field: 2147483647
      sfixed64_field: 9223372036854775807 bool_field: true string_field: "é 日本 👍"
      bytes_field: "\377\"\n" quality_field: QUALITY_VERIFIED
      """#
    try agree(message, text, as: "Scalars")
  }

  @Test("Every type repeated, packed and not")
  func lists() throws {
    let message = Lists(
      doubleField: [0, 1.5], floatField: [-1], int32Field: [0, -1], int64Field: [300],
      uint32Field: [0, 4_294_967_295], uint64Field: [1 << 63], sint32Field: [-1, 1],
      sint64Field: [.min], fixed32Field: [7], fixed64Field: [8], sfixed32Field: [-9],
      sfixed64Field: [-10], boolField: [true, false], stringField: ["", "b"],
      bytesField: [[], [1, 2]], qualityField: [.unspecified, .broken, .unrecognized(7)],
      messageField: [Scalars(), Scalars(int32Field: 5)], unpackedField: [0, -1],
      unpackedQuality: [.raw, .unspecified])
    let text = #"""
      double_field: [0, 1.5] float_field: -1 int32_field: [0, -1] int64_field: 300
      uint32_field: [0, 4294967295] uint64_field: 9223372036854775808 sint32_field: [-1, 1]
      sint64_field: -9223372036854775808 fixed32_field: 7 fixed64_field: 8
      sfixed32_field: -9 sfixed64_field: -10 bool_field: [true, false]
      string_field: ["", "b"] bytes_field: ["", "\001\002"] quality_field: [0, -1, 7]
      message_field: {} message_field: { int32_field: 5 } unpacked_field: [0, -1]
      unpacked_quality: [QUALITY_RAW, QUALITY_UNSPECIFIED]
      """#
    try agree(message, text, as: "Lists")
  }

  @Test(
    "Every member of a oneof, also at its default",
    arguments: [
      (.number(0), "number: 0"), (.number(-5), "number: -5"),
      (.signedNumber(.min), "signed_number: -9223372036854775808"),
      (.real(0), "real: 0"), (.real(-0.0), "real: -0"), (.flag(false), "flag: false"),
      (.flag(true), "flag: true"), (.text(""), #"text: """#), (.text("ü"), #"text: "ü""#),
      (.data([]), #"data: """#), (.data([0]), #"data: "\000""#),
      (.quality(.unspecified), "quality: QUALITY_UNSPECIFIED"),
      (.quality(.unrecognized(77)), "quality: 77"), (.scalars(Scalars()), "scalars: {}"),
      (
        .nested(.init(deeper: .init(state: .wet, history: [.dry]), layers: [.init()])),
        "nested: { deeper: { state: WET history: [DRY] } layers: {} }"
      ),
    ] as [(Choice.Value, String)])
  func oneofs(value: Choice.Value, text: String) throws {
    try agree(Choice(value: value), text, as: "Choice")
  }

  @Test("Two oneofs and a field beside them")
  func twoOneofs() throws {
    try agree(
      Choice(value: .flag(true), note: .attachment([1]), after: "z"),
      #"flag: true attachment: "\001" after: "z""#, as: "Choice")
  }

  @Test("Fields with names of Swift, C++ and the generator")
  func names() throws {
    let message = Names(
      default: 1, class: "c", in: [2], switch: [3, 4], type: .default,
      choice: Names.Choice(number: 5), otherChoice: Choice(value: .number(6)),
      string: Names.StringMessage(text: "t"), self_: true, init_: 7, camelCase: 8, message: 9,
      arena: 10, view: 11, hashValue_: 12, operator: .delete("d"), pickOne: .right([13]))
    let text = #"""
      default: 1 class: "c" in: "\002" switch: [3, 4] type: TYPE_DEFAULT choice: { number: 5 }
      other_choice: { number: 6 } string: { text: "t" } self: true init: 7 camelCase: 8
      message: 9 arena: 10 view: 11 hash_value: 12 delete: "d" right: "\r"
      """#
    try agree(message, text, as: "Names")
  }

  @Test("A file without a package, where C's and Swift's names are the same")
  func plain() throws {
    let message = Plain(
      name: "n", part: PlainPart(number: -1), parts: [PlainPart(), PlainPart(number: 2)],
      color: .red, colors: [.red, .unspecified, .unrecognized(9)], await: 3, _1: 4,
      data: [5], pick: .self_(.init(number: 6)),
      self_: .text("t"))
    let text = #"""
      name: "n" part: { number: -1 } parts: {} parts: { number: 2 } color: PLAIN_COLOR_RED
      colors: [PLAIN_COLOR_RED, PLAIN_COLOR_UNSPECIFIED, 9] await: 3 _1: 4
      data: "\005" self: { number: 6 } text: "t"
      """#
    try agree(message, text, as: "Plain")
  }

  /// libprotobuf-c would cut these or leave them out; they are written behind the known fields.
  @Test(
    "A string with NUL bytes, and minus zero, are the same message to protoc",
    arguments: [
      (
        Scalars(stringField: "a\0b", bytesField: [1]),
        #"string_field: "a\000b" bytes_field: "\001""#
      ),
      (Scalars(doubleField: -0.0, floatField: -0.0), "double_field: -0 float_field: -0"),
    ])
  func outsideTheLibrary(message: Scalars, text: String) throws {
    let canonical = try Protoc.encode(text, as: "Scalars")
    let decoded = try Protoc.decode(try message.encoded(), as: "Scalars")
    #expect(try Protoc.encode(decoded, as: "Scalars") == canonical)
    #expect(try Scalars(decoding: canonical).encoded() == message.encoded())
  }

  @Test("Random messages mean the same to protoc", arguments: 0..<12 as Range<UInt64>)
  func random(seed: UInt64) throws {
    var random = RandomMessages(seed: seed)
    let scalars = random.scalars()
    let bytes = try scalars.encoded()
    let text = try Protoc.decode(bytes, as: "Scalars")
    #expect(try Protoc.encode(text, as: "Scalars") == bytes, "seed \(seed)")
    let lists = random.lists()
    let listBytes = try lists.encoded()
    let listText = try Protoc.decode(listBytes, as: "Lists")
    #expect(try Protoc.encode(listText, as: "Lists") == listBytes, "seed \(seed)")
    #expect(try Lists(decoding: listBytes) == lists, "seed \(seed)")
  }
}
