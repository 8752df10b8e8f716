import RoostAPI
import Testing

@testable import roost

@Suite("Lines of an export")
struct TransferFormatTests {
  private static let doubles: [Double] = [
    0, -0.0, 1, 0.1, -1e-300, .leastNonzeroMagnitude, .greatestFiniteMagnitude,
    .leastNormalMagnitude, 1e16, 1e22,
    .infinity, -.infinity, .nan, -.nan, .signalingNaN, Double(bitPattern: 0x7ff8_0000_0000_0001),
    Double(bitPattern: 0xffff_ffff_ffff_ffff), 123_456_789.123_456_78,
  ]

  private func line(_ key: [UInt8], _ kind: Value.Kind, expiresAtMs: Int64 = 0) -> [UInt8] {
    var json = JSONWriter()
    json.exportEntry(
      Entry(
        key: key, value: Value(kind: kind), revision: 7, createRevision: 3, version: 2,
        createdAtMs: 10, updatedAtMs: 11, expiresAtMs: expiresAtMs), kind)
    return json.bytes
  }

  private func read(_ text: String) throws -> ImportLine {
    try ImportLine(JSONValue(parsing: text.bytes))
  }

  private func roundTrip(_ key: [UInt8], _ kind: Value.Kind) throws -> ImportEntry {
    guard case .entry(let entry) = try ImportLine(JSONValue(parsing: line(key, kind))) else {
      throw UsageError("no entry")
    }
    #expect(entry.key == key)
    return entry
  }

  @Test("Every double comes back with the same bits", arguments: doubles.map(\.bitPattern))
  func keepsDoubles(bits: UInt64) throws {
    let entry = try roundTrip("k".bytes, .doubleValue(Double(bitPattern: bits)))
    guard case .doubleValue(let value) = entry.kind else { throw UsageError("no double") }
    #expect(value.bitPattern == bits)
  }

  @Test(
    "Every int comes back, and one that JSON readers would round is a string",
    arguments: [0, 1, -1, 9_007_199_254_740_991, 9_007_199_254_740_992, .max, .min] as [Int64])
  func keepsInts(value: Int64) throws {
    #expect(try roundTrip("k".bytes, .intValue(value)).kind == .intValue(value))
    let isString = String(decoding: line("k".bytes, .intValue(value)), as: UTF8.self)
      .contains("\"value\":\"")
    #expect(isString == (value.magnitude > 9_007_199_254_740_991))
  }

  @Test("Any bytes come back as a key, as a value of each type and as items")
  func keepsBytes() throws {
    for bytes in [
      [0], [0xff], "\u{0}\r\n\"\\\t\u{7f}\u{2028}é漢🙂".bytes, [0xed, 0xa0, 0x80],
      Array(0...255), [UInt8](repeating: 1, count: 4096), [0xc3],
    ] as [[UInt8]] {
      #expect(try roundTrip(bytes, .bytesValue(bytes)).kind == .bytesValue(bytes))
      let list = Value.Kind.listValue(ListValue(items: [bytes, [], "x".bytes]))
      #expect(try roundTrip(bytes, list).kind == list)
      if ValueType.isUTF8(bytes) {
        #expect(try roundTrip(bytes, .textValue(bytes)).kind == .textValue(bytes))
      }
    }
    for kind in [
      .bytesValue([]), .textValue([]), .boolValue(true), .boolValue(false),
      .listValue(ListValue(items: [])),
    ] as [Value.Kind] {
      #expect(try roundTrip("k".bytes, kind).kind == kind)
    }
  }

  @Test("A line looks as it is documented")
  func writesLines() {
    #expect(
      String(
        decoding: line([0xff], .listValue(ListValue(items: ["a".bytes, [0xff]]))), as: UTF8.self)
        == #"{"key":{"base64":"/w=="},"type":"list","value":["a",{"base64":"/w=="}],"revision":7,"#
        + #""create_revision":3,"version":2,"created_at_ms":10,"updated_at_ms":11,"#
        + #""expires_at_ms":null}"#)
    #expect(
      String(decoding: line("k".bytes, .bytesValue("a".bytes), expiresAtMs: 12), as: UTF8.self)
        .hasPrefix(#"{"key":"k","type":"bytes","value":{"base64":"YQ=="},"#))
    var json = JSONWriter()
    json.exportHeader(
      ExportHeader(serverVersion: "1", revision: 5, exportedAtMs: 6, prefix: "p".bytes))
    #expect(
      String(decoding: json.bytes, as: UTF8.self)
        == #"{"roost_export":1,"server_version":"1","revision":5,"exported_at_ms":6,"prefix":"p"}"#)
  }

  @Test("Only key, type and value are needed")
  func readsShortLines() throws {
    #expect(
      try read(#"{"value":"v","type":"text","key":"k"}"#)
        == .entry(ImportEntry(key: "k".bytes, kind: .textValue("v".bytes), expiresAtMs: 0)))
    #expect(
      try read(#"{"value":"v","type":"bytes","key":"k","expires_at_ms":5}"#)
        == .entry(ImportEntry(key: "k".bytes, kind: .bytesValue("v".bytes), expiresAtMs: 5)))
    #expect(try read(#"{"roost_export_end":1,"entries":3}"#) == .trailer(entryCount: 3))
  }

  @Test(
    "A line that is wrong says what is, and never quotes a value",
    arguments: [
      ("{}", "\"key\" is missing"), ("[]", "must be an object"),
      (#"{"key":"","type":"text","value":""}"#, "the key is empty"),
      (#"{"key":"k","value":"v"}"#, "\"type\" is missing"),
      (#"{"key":"k","type":"text"}"#, "\"value\" is missing"),
      (#"{"key":"k","type":"text","value":null}"#, "\"value\" is missing"),
      (#"{"key":"k","type":"text","value":1}"#, "\"value\" must be a string"),
      (#"{"key":"k","type":"text","value":{"base64":"/w=="}}"#, "not valid UTF-8"),
      (#"{"key":"k","type":"bytes","value":{"base64":"secret!"}}"#, "the base64 is malformed"),
      (#"{"key":"k","type":"bytes","value":{"base65":""}}"#, "an object must be"),
      (#"{"key":"k","type":"int","value":1.5}"#, "type int cannot be a number"),
      (#"{"key":"k","type":"int","value":"secret"}"#, "no int of 64 bits"),
      (#"{"key":"k","type":"double","value":"secret"}"#, "type double must be a number"),
      (#"{"key":"k","type":"double","value":"NaN(7ff0000000000000)"}"#, "must be a number"),
      (#"{"key":"k","type":"bool","value":"true"}"#, "type bool cannot be a string"),
      (#"{"key":"k","type":"list","value":[1]}"#, "an item must be"),
      (#"{"key":"k","type":"stream","value":1}"#, "the type is none of"),
      (#"{"key":"k","type":"int","value":1,"ttl":5}"#, "no member \"ttl\""),
      (#"{"key":"k","type":"int","value":1,"expires_at_ms":-1}"#, "must be above 0"),
      (#"{"roost_export_end":1}"#, "does not say how many"),
    ])
  func refuses(text: String, message: String) {
    let error = #expect(throws: UsageError.self) { try read(text) }
    #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    #expect(error?.message.contains("secret") == false)
  }

  @Test("A newer version is refused by its number, what it adds to the header is not")
  func checksVersion() throws {
    let error = #expect(throws: UsageError.self) {
      try ImportLine.header(JSONValue(parsing: #"{"roost_export":2}"#.bytes))
    }
    #expect(error?.message.contains("format version 2") == true)
    let header = try ImportLine.header(
      JSONValue(parsing: #"{"roost_export":1,"prefix":{"base64":"/w=="},"more":[1]}"#.bytes))
    #expect(header.prefix == [0xff])
    for text in ["{}", "[]", #"{"roost_export":0}"#, #"{"roost_export":"1"}"#] {
      #expect(throws: UsageError.self) {
        try ImportLine.header(JSONValue(parsing: text.bytes))
      }
    }
  }

  @Test("A progress line fits the terminal")
  func fitsTerminal() {
    for columns in [1, 20, 40, 60, 80, 200] {
      for fraction in [nil, 0, 0.5, 1, 1.5] as [Double?] {
        let line = TransferProgress.line(
          verb: "importing", entries: 1_234_567, elapsedNanos: 2_000_000_000, fraction: fraction,
          columns: columns)
        #expect(line.count < max(2, columns), "\(columns): \(line)")
      }
    }
    #expect(
      TransferProgress.line(
        verb: "exporting", entries: 10, elapsedNanos: 2_000_000_000, fraction: 0.5, columns: 60)
        == "exporting [############------------]  50 %  10 entries  5/s")
  }

  @Test("Work is spread over the time that its rate asks for")
  func paces() {
    var pacer = RatePacer(unitsPerSecond: 1000)
    var now: UInt64 = 1_000_000_000
    for _ in 0..<1000 { now += pacer.delayNanos(after: 1, nowNanos: now) }
    #expect((1_980_000_000...2_000_000_000).contains(now))
    // An hour of nothing earns no more than the burst.
    now += 3_600_000_000_000
    let start = now
    for _ in 0..<1000 { now += pacer.delayNanos(after: 1, nowNanos: now) }
    #expect(now - start >= 980_000_000)
  }
}
