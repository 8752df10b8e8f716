import RoostAPI
import Testing

@testable import roost

@Suite("Values in arguments")
struct ValueTypeTests {
  @Test("Without a type UTF-8 is text, and everything else bytes")
  func infers() throws {
    #expect(try ValueType.value("5 é\0".bytes, type: nil).kind == .textValue("5 é\0".bytes))
    #expect(try ValueType.value([], type: nil).kind == .textValue([]))
    #expect(try ValueType.value([0xff], type: nil).kind == .bytesValue([0xff]))
    #expect(try ValueType.value([0xed, 0xa0, 0x80], type: nil).typeName.description == "bytes")
  }

  @Test("A type makes the text a value of that type; a number may have white space around it")
  func converts() throws {
    #expect(try ValueType.int.value(" -42\n".bytes).kind == .intValue(-42))
    #expect(try ValueType.int.value("9223372036854775807".bytes).kind == .intValue(.max))
    #expect(try ValueType.double.value("1e3\n".bytes).kind == .doubleValue(1000))
    #expect(try ValueType.double.value("-inf".bytes).kind == .doubleValue(-.infinity))
    #expect(try ValueType.bool.value("true\n".bytes).kind == .boolValue(true))
    #expect(try ValueType.bool.value("false".bytes).kind == .boolValue(false))
    #expect(try ValueType.bytes.value("a\n".bytes).kind == .bytesValue("a\n".bytes))
    #expect(try ValueType.text.value(" a\n".bytes).kind == .textValue(" a\n".bytes))
  }

  @Test(
    "A value that is not of its type is refused",
    arguments: [
      (.int, "1.5"), (.int, ""), (.int, "9223372036854775808"), (.int, "1 2"), (.double, "x"),
      (.bool, "yes"), (.bool, "True"), (.double, ""),
    ] as [(ValueType, String)])
  func refuses(type: ValueType, text: String) {
    #expect(throws: UsageError.self) { try type.value(text.bytes) }
  }

  @Test(
    "Invalid UTF-8 is neither text nor a number", arguments: [ValueType.text, .int, .double, .bool])
  func refusesInvalidUTF8(type: ValueType) {
    #expect(throws: UsageError.self) { try type.value([0x31, 0xff]) }
  }

  @Test("A key of nothing is refused, and '-' is all of standard input, once")
  func readsArguments() throws {
    let reader = ArgumentReader(isHex: false, input: StandardInput { [0, 0xff, 0x0a] })
    #expect(throws: UsageError.self) { try reader.key("") }
    #expect(try reader.bytes("") == [])
    #expect(try reader.key("-") == [0, 0xff, 0x0a])
    #expect(throws: UsageError.self) { try reader.bytes("-") }
    let hex = ArgumentReader(isHex: true, input: StandardInput { [] })
    #expect(try hex.key("00ff") == [0, 0xff])
    #expect(throws: UsageError.self) { try hex.key("xyz") }
  }
}
