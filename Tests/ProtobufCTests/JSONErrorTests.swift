import ExampleAPI
import ProtobufC
import Testing

@Suite("JSON that is refused")
struct JSONErrorTests {
  private func refusal(_ json: String) -> JSONError? {
    do throws(JSONError) {
      _ = try MessageJSON.encode(json, as: EchoMessage.View.descriptor)
      return nil
    } catch {
      return error
    }
  }

  @Test(
    "What is not JSON is refused with line and byte",
    arguments: [
      "", " ", "{", "}", "{]", "[1", "nul", "truth", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, "{a:1}",
      "{'a':1}", "01", "+1", "1.", ".5", "1e", "--1", "0x1", "NaN", "Infinity", #""unended"#,
      #""\x""#, #""\u12""#, #""\ud800""#, #""\ud800\u0041""#, #""\udc00""#, "\"\u{1}\"", "{}{}",
      "[1,]", "// comment\n{}", "\u{feff}{}",
    ])
  func syntax(_ text: String) throws {
    let error = try #require(refusal(text))
    #expect(error.path.isEmpty)
    #expect(error.problem.hasPrefix("not JSON, line "))
  }

  @Test("The place of a syntax error is where it is")
  func place() {
    #expect(
      refusal("{\n  \"payload\": \"\",\n  oops }")?.problem
        == "not JSON, line 3, byte 3: `\"` is missing")
  }

  @Test("Nesting deeper than the limit is refused, however deep", arguments: [65, 100_000])
  func depth(_ levels: Int) {
    let text = String(repeating: "[", count: levels) + String(repeating: "]", count: levels)
    #expect(refusal(text)?.problem.contains("nested deeper than 64 levels") == true)
  }

  @Test("An unknown field is named with its path and the fields that there are")
  func unknownField() {
    #expect(
      refusal(#"{"choice":{"nested":{"deeper":{"stat":"WET"}}}}"#)?.description
        == "choice.nested.deeper.stat: no such field in weather.v1.Choice.Nested.Deeper; "
        + "its fields: state, history")
    #expect(
      refusal(#"{"lists":{"messageField":[{},{"x":1}]}}"#)?.path == "lists.messageField[1].x")
  }

  @Test(
    "A value of the wrong kind or range is refused at its path",
    arguments: [
      ("[]", ""), ("1", ""), (#"{"payload":1}"#, "payload"), (#"{"payload":"*"}"#, "payload"),
      (#"{"payload":"A"}"#, "payload"), (#"{"payload":"AA="}"#, "payload"),
      (#"{"payload":"AA==="}"#, "payload"), (#"{"payload":"A=A="}"#, "payload"),
      (#"{"scalars":[]}"#, "scalars"),
      (#"{"scalars":{"int32Field":2147483648}}"#, "scalars.int32Field"),
      (#"{"scalars":{"int32Field":1.5}}"#, "scalars.int32Field"),
      (#"{"scalars":{"int32Field":true}}"#, "scalars.int32Field"),
      (#"{"scalars":{"int32Field":"0x10"}}"#, "scalars.int32Field"),
      (#"{"scalars":{"int32Field":"+1"}}"#, "scalars.int32Field"),
      (#"{"scalars":{"int32Field":""}}"#, "scalars.int32Field"),
      (#"{"scalars":{"uint32Field":-1}}"#, "scalars.uint32Field"),
      (#"{"scalars":{"int64Field":9223372036854775808}}"#, "scalars.int64Field"),
      (#"{"scalars":{"int64Field":1e17}}"#, "scalars.int64Field"),
      (#"{"scalars":{"floatField":1e39}}"#, "scalars.floatField"),
      (#"{"scalars":{"doubleField":1e400}}"#, "scalars.doubleField"),
      (#"{"scalars":{"doubleField":"nan"}}"#, "scalars.doubleField"),
      (#"{"scalars":{"boolField":"true"}}"#, "scalars.boolField"),
      (#"{"scalars":{"boolField":1}}"#, "scalars.boolField"),
      (#"{"scalars":{"stringField":1}}"#, "scalars.stringField"),
      (#"{"scalars":{"qualityField":"GOOD"}}"#, "scalars.qualityField"),
      (#"{"scalars":{"qualityField":1.5}}"#, "scalars.qualityField"),
      (#"{"lists":{"int32Field":1}}"#, "lists.int32Field"),
      (#"{"lists":{"int32Field":[1,null]}}"#, "lists.int32Field[1]"),
      (#"{"lists":{"stringField":["",1]}}"#, "lists.stringField[1]"),
      (#"{"lists":{"int32_field":[1],"int32Field":[2]}}"#, "lists.int32Field"),
      (#"{"payload":"","payload":""}"#, "payload"),
      (#"{"choice":{"number":1,"flag":false}}"#, "choice.flag"),
      (#"{"choice":{"text":"","data":""}}"#, "choice.data"),
    ])
  func values(text: String, path: String) throws {
    #expect(try #require(refusal(text)).path == path)
  }

  @Test("A oneof's second member is refused by naming the first")
  func oneof() {
    #expect(
      refusal(#"{"choice":{"number":1,"flag":false}}"#)?.problem
        == "only one of the oneof can be given, and number is given too")
  }

  @Test("Random texts of JSON's characters are read or refused", arguments: 0..<10 as Range<UInt64>)
  func random(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let words = [
      "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "d83d", "1", "-", ".", "e", "null", "true",
      "\"payload\"", "\"choice\"", "\"text\"", "\"scalars\"", " ", "é",
    ]
    for _ in 0..<500 {
      let count = Int.random(in: 0...12, using: &random)
      _ = refusal((0..<count).map { _ in words.randomElement(using: &random)! }.joined())
    }
  }
}
