import RoostAPI
import Testing

@testable import roost

@Suite("JSON")
struct JSONTests {
  @Test("Every kind of value is read, members in order, 64-bit integers exactly")
  func reads() throws {
    let text =
      #" {"a":[1,-2.5e1,true,null],"b":{"c":"\u00e9\n\ud83d\ude42\/"},"d":9223372036854775807} "#
    let value = try JSONValue(parsing: text.bytes)
    #expect(
      value
        == .object([
          .init(name: "a", value: .array([.integer(1), .double(-25), .bool(true), .null])),
          .init(name: "b", value: .object([.init(name: "c", value: .string("é\n🙂/"))])),
          .init(name: "d", value: .integer(.max)),
        ]))
  }

  @Test(
    "What is not JSON is refused with its place",
    arguments: [
      "", "{", "[1,]", "{\"a\"}", "{\"a\":1,}", "\"a", "\"\\x\"", "\"\\ud800\"", "01", "1.", "-",
      "+1", "tru", "1 2", "{a:1}", "\"\u{1}\"", "[1 2]", "{\"a\":1,\"a\":2}", "\"\\u12", "1e999",
      "\"\\u+123\"", "\"\\ud800\\u0041\"",
    ])
  func refuses(text: String) {
    let error = #expect(throws: UsageError.self) { try JSONValue(parsing: text.bytes) }
    #expect(error?.message.hasPrefix("JSON, line 1, column ") == true)
  }

  @Test("Nesting without end is refused and does not overflow the stack")
  func refusesDepth() {
    let text = [UInt8](repeating: UInt8(ascii: "["), count: 1_000_000)
    #expect(throws: UsageError.self) { try JSONValue(parsing: text) }
  }

  @Test("Invalid UTF-8 in a string is refused")
  func refusesInvalidUTF8() {
    #expect(throws: UsageError.self) { try JSONValue(parsing: [0x22, 0xff, 0x22]) }
  }

  @Test("A place counts lines from one")
  func namesPlace() {
    let error = #expect(throws: UsageError.self) { try JSONValue(parsing: "{\n  x".bytes) }
    #expect(error?.message.hasPrefix("JSON, line 2, column 3:") == true)
  }

  @Test(
    "A value is written in its own type, and marked where it is not UTF-8",
    arguments: [
      (.textValue("a\"\\\n\u{1}é".bytes), #""type":"text","value":"a\"\\\n\u0001é""#),
      (.bytesValue("plain".bytes), #""type":"bytes","value":"plain""#),
      (.bytesValue([0xff, 0]), #""type":"bytes","value":"/wA=","valueEncoding":"base64""#),
      (.intValue(.min), #""type":"int","value":-9223372036854775808"#),
      (.doubleValue(0.1), #""type":"double","value":0.1"#),
      (.doubleValue(.nan), #""type":"double","value":"NaN""#),
      (.doubleValue(-.infinity), #""type":"double","value":"-Infinity""#),
      (.boolValue(true), #""type":"bool","value":true"#),
      (.listValue(ListValue(items: ["a".bytes, []])), #""type":"list","value":["a",""]"#),
      (
        .listValue(ListValue(items: ["a".bytes, [0xff]])),
        #""type":"list","value":["YQ==","/w=="],"valueEncoding":"base64""#
      ),
    ] as [(Value.Kind, String)])
  func writesValues(kind: Value.Kind, expected: String) throws {
    var json = JSONWriter()
    json.object { $0.value(Value(kind: kind), isHex: false) }
    #expect(String(decoding: json.bytes, as: UTF8.self) == "{\(expected)}")
    _ = try JSONValue(parsing: json.bytes)
  }

  @Test("Keys that are not UTF-8 are base64, and hexadecimal with --hex")
  func writesKeys() {
    var json = JSONWriter()
    json.object { $0.key([0xff], isHex: false) }
    json.object { $0.key("k".bytes, isHex: true) }
    #expect(
      String(decoding: json.bytes, as: UTF8.self)
        == #"{"key":"/w==","keyEncoding":"base64"},{"key":"6b","keyEncoding":"hex"}"#)
  }
}
