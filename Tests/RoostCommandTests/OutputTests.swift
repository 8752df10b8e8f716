import RoostAPI
import Testing

@testable import roost

@Suite("Output")
struct OutputTests {
  @Test(
    "Wide characters take two columns, combining ones none",
    arguments: [
      ("abc", 3), ("é", 1), ("e\u{301}", 1), ("漢字", 4), ("🙂", 2), ("👨‍👩‍👧", 2), ("ｱ", 1), ("Ａ", 2),
      ("한", 2), ("❤️", 2), ("❤", 1), ("🇩🇪", 2), ("", 0), ("ไทย", 3),
    ])
  func measures(text: String, columns: Int) {
    #expect(DisplayWidth.columns(text) == columns)
  }

  @Test("Columns line up with wide characters, numbers stand at the right")
  func alignsTables() {
    var table = TextTable([.init("KEY"), .init("N", .right), .init("VALUE")])
    table.append(["漢字", "7", "a"])
    table.append(["b", "10", "last one is not padded"])
    #expect(
      table.rendered(style: .plain) == """
        KEY    N  VALUE
        漢字   7  a
        b     10  last one is not padded

        """)
  }

  @Test("A cell that is too wide is cut, the last one at the edge of the terminal")
  func cutsCells() {
    var table = TextTable([.init("A"), .init("B")], maxLineColumns: 90)
    table.append([String(repeating: "漢", count: 50), String(repeating: "x", count: 50)])
    let line = table.rendered(style: .plain).split(separator: "\n")[1]
    #expect(DisplayWidth.columns(line) <= 90)
    #expect(line.hasPrefix(String(repeating: "漢", count: 29) + "…"))
    #expect(line.hasSuffix("x…"))
  }

  @Test("A narrow terminal still shows some of the last column")
  func keepsLastColumn() {
    var table = TextTable([.init("A"), .init("B")], maxLineColumns: 10)
    table.append([String(repeating: "a", count: 40), String(repeating: "x", count: 50)])
    #expect(table.rendered(style: .plain).contains("xxxxxxxxxxxxxxx…"))
  }

  @Test("Entries have one stable form in each format")
  func printsEntries() {
    let entry = Entry(
      key: "a\tb".bytes, value: Value(kind: .textValue("x\ny".bytes)), revision: 7,
      createRevision: 5, version: 2, createdAtMs: 1, updatedAtMs: 2, expiresAtMs: 61_000)
    func printed(_ format: OutputFormat, keysOnly: Bool = false, isHex: Bool = false) -> String {
      var printer = EntryPrinter(
        Presentation(format: format, isHex: isHex, isTerminal: false, style: .plain),
        keysOnly: keysOnly, saysFound: true, nowMillis: 1000)
      let bytes = printer.rendered([(entry.key, entry), ("gone".bytes, nil)])
      return String(decoding: bytes, as: UTF8.self)
    }
    #expect(printed(.simple) == "a\\tb\tx\\ny\n")
    #expect(printed(.simple, keysOnly: true) == "a\\tb\n")
    #expect(printed(.simple, isHex: true) == "610962\t780a79\n")
    #expect(printed(.raw) == "x\ny\n")
    #expect(printed(.raw, keysOnly: true) == "a\tb\n")
    #expect(
      printed(.json)
        == #"{"key":"a\tb","found":true,"type":"text","value":"x\ny","revision":7,"#
        + #""createRevision":5,"version":2,"createdAtMs":1,"updatedAtMs":2,"#
        + #""expiresAtMs":61000}"# + "\n" + #"{"key":"gone","found":false}"# + "\n")
    #expect(
      printed(.table) == """
        KEY   REVISION  TTL  TYPE  VALUE
        a\\tb         7   1m  text  x\\ny
        gone         -    -  -     (not found)

        """)
  }

  @Test("A list takes a field for each item in a line")
  func printsLists() {
    let list = Value(kind: .listValue(ListValue(items: ["a".bytes, "b\t".bytes])))
    let presentation = Presentation(format: .simple, isHex: false, isTerminal: false, style: .plain)
    #expect(presentation.cells(list) == ["a", "b\\t"])
    #expect(presentation.tableCell(list) == "a, b\\t")
  }

  @Test("A value alone is byte for byte off a terminal, and harmless on one")
  func showsValuesAlone() {
    let bytes: [UInt8] = [0x1b, 0x5b, 0x32, 0x4a, 0xff]
    func alone(_ format: OutputFormat, isTerminal: Bool, isHex: Bool = false) -> [UInt8] {
      Presentation(format: format, isHex: isHex, isTerminal: isTerminal, style: .plain).alone(bytes)
    }
    #expect(alone(.simple, isTerminal: false) == bytes)
    #expect(alone(.raw, isTerminal: true) == bytes)
    #expect(alone(.simple, isTerminal: true) == "\\x1b[2J\\xff".bytes)
    #expect(alone(.simple, isTerminal: false, isHex: true) == "1b5b324aff".bytes)
  }

  @Test("A record is a word for scripts, a sentence for people, or all of its fields")
  func printsRecords() {
    let record = Record(key: "k".bytes, plain: "9", sentence: "OK at revision 9")
      .with("revision", .integer(9)).with("created", .bool(true)).with("expiresAtMs", .null)
    func printed(_ format: OutputFormat, isTerminal: Bool = false) -> String {
      let presentation = Presentation(
        format: format, isHex: false, isTerminal: isTerminal, style: .plain)
      return String(decoding: record.rendered(presentation), as: UTF8.self)
    }
    #expect(printed(.simple) == "9\n")
    #expect(printed(.simple, isTerminal: true) == "OK at revision 9\n")
    #expect(
      printed(.json) == #"{"key":"k","revision":9,"created":true,"expiresAtMs":null}"# + "\n")
    #expect(printed(.table) == "KEY  REVISION  CREATED  EXPIRES AT MS\nk           9  yes      -\n")
  }

  @Test("Colours are off where the style is plain")
  func colours() {
    #expect(TerminalStyle.plain.red("x") == "x")
    #expect(TerminalStyle(isEnabled: true).red("x") == "\u{1b}[31mx\u{1b}[0m")
  }

  @Test(
    "Sizes and times read well",
    arguments: [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 30, "5.0 GiB")]
      as [(Int64, String)])
  func showsSizes(bytes: Int64, text: String) {
    #expect(ByteCount.text(bytes) == text)
    #expect(UTCTime.text(1_000_000_000_000) == "2001-09-09T01:46:40Z")
  }
}
