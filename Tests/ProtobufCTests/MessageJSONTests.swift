import ExampleAPI
import ProtobufC
import RoostAPI
import Testing

private func encode<M: Message>(_ json: String, as type: M.Type) throws -> M {
  try M(decoding: try MessageJSON.encode(json, as: M.View.descriptor))
}

private func json<M: Message>(_ message: M, pretty: Bool = false) throws -> String {
  try MessageJSON.decode(try message.encoded(), as: M.View.descriptor, pretty: pretty)
}

@Suite("proto3 JSON")
struct MessageJSONTests {
  @Test("Fields at their default are left out")
  func defaults() throws {
    #expect(try json(Scalars()) == "{}")
    #expect(try json(Empty(), pretty: true) == "{}")
    #expect(try encode("{}", as: Scalars.self) == Scalars())
    #expect(try encode(#" { "int32Field" : null } "#, as: Scalars.self) == Scalars())
  }

  @Test("Each scalar has the form of the mapping")
  func scalars() throws {
    let message = Scalars(
      doubleField: -0.5, floatField: 0.1, int32Field: .min, int64Field: .min, uint32Field: .max,
      uint64Field: .max, sint32Field: .max, sint64Field: .max, fixed32Field: 1, fixed64Field: 2,
      sfixed32Field: -3, sfixed64Field: -4, boolField: true, stringField: "a\"\\\n\u{1}é\0",
      bytesField: [0xfb, 0xff, 0x01], qualityField: .checked)
    let text = """
      {"doubleField":-0.5,"floatField":0.1,"int32Field":-2147483648,\
      "int64Field":"-9223372036854775808","uint32Field":4294967295,\
      "uint64Field":"18446744073709551615","sint32Field":2147483647,\
      "sint64Field":"9223372036854775807","fixed32Field":1,"fixed64Field":"2",\
      "sfixed32Field":-3,"sfixed64Field":"-4","boolField":true,\
      "stringField":"a\\"\\\\\\n\\u0001é\\u0000","bytesField":"+/8B",\
      "qualityField":"QUALITY_CHECKED"}
      """
    #expect(try json(message) == text)
    #expect(try encode(text, as: Scalars.self) == message)
  }

  @Test(
    "Numbers are read in every notation of JSON, and 64-bit integers exactly",
    arguments: [
      (#"{"int32Field":1e3}"#, Scalars(int32Field: 1000)),
      (#"{"int32Field":"-7"}"#, Scalars(int32Field: -7)),
      (#"{"int32Field":2.0}"#, Scalars(int32Field: 2)),
      (#"{"int64Field":9007199254740993}"#, Scalars(int64Field: 9_007_199_254_740_993)),
      (#"{"int64Field":"-9223372036854775808"}"#, Scalars(int64Field: .min)),
      (#"{"uint64Field":18446744073709551615}"#, Scalars(uint64Field: .max)),
      (#"{"doubleField":1.5E-3}"#, Scalars(doubleField: 0.0015)),
      (#"{"doubleField":"2.5"}"#, Scalars(doubleField: 2.5)),
      (
        #"{"doubleField":"Infinity","floatField":"-Infinity"}"#,
        Scalars(doubleField: .infinity, floatField: -.infinity)
      ),
      (#"{"qualityField":-1}"#, Scalars(qualityField: .broken)),
      (#"{"qualityField":"QUALITY_VERIFIED"}"#, Scalars(qualityField: .checked)),
      (#"{"qualityField":42}"#, Scalars(qualityField: .unrecognized(42))),
      (#"{"int32_field":4}"#, Scalars(int32Field: 4)),
    ])
  func numbers(text: String, message: Scalars) throws {
    #expect(try encode(text, as: Scalars.self) == message)
  }

  @Test("NaN and the infinities are strings; an enum's unknown number is a number")
  func specialValues() throws {
    #expect(try json(Scalars(doubleField: .nan)) == #"{"doubleField":"NaN"}"#)
    #expect(try encode(#"{"floatField":"NaN"}"#, as: Scalars.self).floatField.isNaN)
    #expect(try json(Scalars(floatField: -.infinity)) == #"{"floatField":"-Infinity"}"#)
    #expect(try json(Scalars(qualityField: .unrecognized(9))) == #"{"qualityField":9}"#)
    #expect(try json(Scalars(doubleField: -0.0)) == #"{"doubleField":-0}"#)
    let minusZero = try encode(#"{"doubleField":-0,"floatField":-0.0}"#, as: Scalars.self)
    #expect(minusZero.doubleField.sign == .minus)
    #expect(minusZero.floatField.sign == .minus)
    #expect(try json(Scalars(doubleField: 1e300)) == #"{"doubleField":1e+300}"#)
  }

  @Test(
    "Base64 is read in both alphabets, with and without padding",
    arguments: [
      ("", []), ("AA==", [0]), ("AA", [0]), ("+/8=", [0xfb, 0xff]), ("-_8", [0xfb, 0xff]),
      ("AQID", [1, 2, 3]), ("AQIDBA==", [1, 2, 3, 4]),
    ] as [(String, [UInt8])])
  func base64(text: String, bytes: [UInt8]) throws {
    #expect(
      try encode(#"{"bytesField":"\#(text)"}"#, as: Scalars.self).bytesField == bytes)
  }

  @Test("Every length of bytes comes back from base64", arguments: 0..<20)
  func base64RoundTrip(count: Int) throws {
    var random = SeededRandom(seed: UInt64(count))
    let message = Scalars(bytesField: random.bytes(count))
    #expect(try encode(try json(message), as: Scalars.self) == message)
  }

  @Test("Nested messages, lists and oneofs come back the same")
  func nested() throws {
    let nested = Choice.Nested(
      deeper: .init(state: .wet, history: [.dry, .unknown]), layers: [.init(), .init(state: .dry)])
    let message = EchoMessage(
      payload: [1],
      lists: Lists(
        doubleField: [1, .infinity], int64Field: [1, -1], boolField: [true, false],
        stringField: ["", "ü", "a\0b"], bytesField: [[], [1]], qualityField: [.raw, .broken],
        messageField: [Scalars(), Scalars(int32Field: 1)]),
      choice: Choice(value: .nested(nested), note: .remark("")),
      names: Names(default: 1, camelCase: 3, operator: .none_(0)))
    for pretty in [false, true] {
      let text = try json(message, pretty: pretty)
      #expect(try encode(text, as: EchoMessage.self) == message)
    }
  }

  @Test("The pretty form is indented by two")
  func pretty() throws {
    let message = GetResponse(found: true, entry: Entry(value: Value(kind: .intValue(5))))
    #expect(
      try json(message, pretty: true) == """
        {
          "found": true,
          "entry": {
            "value": {
              "intValue": "5"
            }
          }
        }
        """)
  }

  @Test("A template names every field and the first member of each oneof, and can be sent")
  func template() throws {
    let text = MessageJSON.template(of: SetRequest.View.descriptor)
    for name in ["key", "bytesValue", "ttlMs", "exists", "durability", "returnPrevious"] {
      #expect(text.contains("\"\(name)\""))
    }
    #expect(!text.contains("textValue"))
    _ = try encode(text, as: SetRequest.self)
    #expect(MessageJSON.template(of: Empty.View.descriptor) == "{}")
    for method in RoostAPIRegistry.all { _ = try method.encodeJSON(method.requestTemplate) }
  }

  @Test("The registry names every method of every service once")
  func registry() {
    let names = RoostAPIRegistry.all.map { "\($0.descriptor.service)/\($0.descriptor.name)" }
    #expect(Set(names).count == names.count)
    #expect(
      names.count == KV.Methods.all.count + Admin.Methods.all.count
        + Auth.Methods.all.count + Watch.Methods.all.count)
    #expect(names.contains("roost.v1.KV/Get"))
  }
}
