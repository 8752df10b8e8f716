import RoostAPI
import Testing

@testable import roost

@Suite("Transactions")
struct TransactionTests {
  private let reader = ArgumentReader(isHex: false, input: StandardInput { "input".bytes })

  @Test(
    "A line is split into words as in a shell",
    arguments: [
      ("set a b", ["set", "a", "b"]), ("  a\tb  ", ["a", "b"]), ("a # b", ["a"]), ("a#b", ["a#b"]),
      ("'a b' \"c\\n\\\"\"", ["a b", "c\n\""]), ("a'b'\"c\"", ["abc"]), ("'' \"\"", ["", ""]),
      ("a\\ b '\\n'", ["a b", "\\n"]), ("", []), ("# only", []),
    ] as [(String, [String])])
  func splits(line: String, words: [String]) throws {
    #expect(try TransactionWords.split(line) == words)
  }

  @Test(
    "An open quote or an unknown escape is refused",
    arguments: ["'a", "\"a", "\"\\x\"", "a\\", "\"\\"])
  func refusesQuotes(line: String) {
    #expect(throws: UsageError.self) { try TransactionWords.split(line) }
  }

  @Test("Conditions, steps and the steps of failure are read from text")
  func readsText() throws {
    let text = """
      # move one
      if stock revision 17
      if lock absent
      if here exists
      if state = open
      if count = 5 --type int
      then
      incr stock -1
      set "last order" 'no 7' --ttl 1h
      set n 5 --type int --if-absent
      set ff00 ff --hex
      del old --if-revision 3
      push log a b --front --max-length 10
      pop queue 3 --front
      get stock --keys-only
      else
      get stock
      """
    let request = try TransactionText.request(text.split(separator: "\n"), reader)
    #expect(
      request.compares == [
        Compare(key: "stock".bytes, condition: Condition(kind: .revision(17))),
        Compare(key: "lock".bytes, condition: Condition(kind: .exists(false))),
        Compare(key: "here".bytes, condition: Condition(kind: .exists(true))),
        Compare(
          key: "state".bytes,
          condition: Condition(kind: .value(Value(kind: .textValue("open".bytes))))),
        Compare(key: "count".bytes, condition: Condition(kind: .value(Value(kind: .intValue(5))))),
      ])
    #expect(
      request.success == [
        Operation(kind: .increment(IncrementRequest(key: "stock".bytes, delta: -1))),
        Operation(
          kind: .set(
            SetRequest(
              key: "last order".bytes, value: Value(kind: .textValue("no 7".bytes)),
              expiration: Expiration(kind: .ttlMs(3_600_000))))),
        Operation(
          kind: .set(
            SetRequest(
              key: "n".bytes, value: Value(kind: .intValue(5)),
              condition: Condition(kind: .exists(false))))),
        Operation(
          kind: .set(SetRequest(key: [0xff, 0], value: Value(kind: .bytesValue([0xff]))))),
        Operation(
          kind: .delete(
            DeleteRequest(key: "old".bytes, condition: Condition(kind: .revision(3))))),
        Operation(
          kind: .push(
            PushRequest(
              key: "log".bytes, items: ["a".bytes, "b".bytes], end: .front, maxLength: 10))),
        Operation(kind: .pop(PopRequest(key: "queue".bytes, end: .front, count: 3))),
        Operation(kind: .get(GetRequest(key: "stock".bytes, keysOnly: true))),
      ])
    #expect(request.failure == [Operation(kind: .get(GetRequest(key: "stock".bytes)))])
  }

  @Test("'then' may be left out, and steps may stand on its line")
  func readsShortForms() throws {
    let plain = try TransactionText.request(["if a exists", "get a"], reader)
    let inline = try TransactionText.request(["if a exists", "then get a"], reader)
    #expect(plain == inline && plain.success.count == 1)
    #expect(try TransactionText.request(["set k -"], reader).success.count == 1)
  }

  @Test(
    "A line that makes no sense is refused with its number",
    arguments: [
      "if", "if a", "if a maybe", "if a revision", "if a revision 0", "if a revision x",
      "if a exists now", "if a = x --type int", "get", "get a b", "fly a", "set a", "incr a x",
      "del a b", "del --prefix a", "set a b --ttl 5", "get a -o json", "get a --endpoint x",
      "set a b --durability synced", "else", "push a", "pop a 0", "'",
    ])
  func refusesLines(line: String) {
    let error = #expect(throws: UsageError.self) {
      try TransactionText.request(["# first", line], reader)
    }
    #expect(error?.message.hasPrefix("line 2 of the transaction: ") == true)
  }

  @Test(
    "Sections keep their order",
    arguments: [
      ["then", "get a", "if b exists"], ["if a exists", "then", "get a", "then"],
      ["if a exists", "get a", "else", "get a", "else"], ["get a", "then"],
    ])
  func refusesOrder(lines: [String]) {
    #expect(throws: UsageError.self) { try TransactionText.request(lines, reader) }
  }

  @Test("The same transaction is read from JSON")
  func readsJSON() throws {
    let json = """
      {"if": [{"key":"stock","revision":17}, {"key":"lock","exists":false},
              {"key":"state","value":"open"}, {"key":"n","value":5,"type":"double"}],
       "then": [{"incr":{"key":"stock","delta":-1}},
                {"set":{"key":"/wA=","keyEncoding":"base64","value":"ff","valueEncoding":"hex",
                        "ttl":"1h","ifRevision":9}},
                {"set":{"key":"b","value":true,"keepTTL":true}},
                {"push":{"key":"l","items":["a","b"],"front":true,"maxLength":3,"ifExists":true}},
                {"pop":{"key":"l"}}, {"del":{"key":"d","ifRevision":3}}],
       "else": [{"get":{"key":"stock","keysOnly":true}}]}
      """
    let request = try TransactionJSON.request(json.bytes)
    #expect(
      request.compares.map(\.condition?.kind) == [
        .revision(17), .exists(false), .value(Value(kind: .textValue("open".bytes))),
        .value(Value(kind: .doubleValue(5))),
      ])
    #expect(
      request.success == [
        Operation(kind: .increment(IncrementRequest(key: "stock".bytes, delta: -1))),
        Operation(
          kind: .set(
            SetRequest(
              key: [0xff, 0], value: Value(kind: .bytesValue([0xff])),
              expiration: Expiration(kind: .ttlMs(3_600_000)),
              condition: Condition(kind: .revision(9))))),
        Operation(
          kind: .set(
            SetRequest(
              key: "b".bytes, value: Value(kind: .boolValue(true)),
              expiration: Expiration(kind: .keep(true))))),
        Operation(
          kind: .push(
            PushRequest(
              key: "l".bytes, items: ["a".bytes, "b".bytes], end: .front, mustExist: true,
              maxLength: 3))),
        Operation(kind: .pop(PopRequest(key: "l".bytes, end: .back, count: 1))),
        Operation(
          kind: .delete(DeleteRequest(key: "d".bytes, condition: Condition(kind: .revision(3))))),
      ])
    #expect(
      request.failure == [Operation(kind: .get(GetRequest(key: "stock".bytes, keysOnly: true)))])
  }

  @Test(
    "JSON that means nothing is refused: above all a condition that would pass as none",
    arguments: [
      "[]", "{\"fi\":[]}", "{\"if\":{}}", "{\"if\":[{\"key\":\"a\"}]}",
      "{\"if\":[{\"key\":\"a\",\"exist\":true}]}", "{\"if\":[{\"exists\":true}]}",
      "{\"if\":[{\"key\":\"a\",\"exists\":true,\"revision\":1}]}",
      "{\"if\":[{\"key\":\"a\",\"revision\":1.5}]}", "{\"then\":[{}]}",
      "{\"then\":[{\"get\":{\"key\":\"a\"},\"del\":{\"key\":\"a\"}}]}",
      "{\"then\":[{\"fly\":{\"key\":\"a\"}}]}", "{\"then\":[{\"set\":{\"key\":\"a\"}}]}",
      "{\"then\":[{\"set\":{\"key\":\"a\",\"value\":[1]}}]}",
      "{\"then\":[{\"set\":{\"key\":\"a\",\"value\":1,\"type\":\"text\"}}]}",
      "{\"then\":[{\"set\":{\"key\":\"a\",\"value\":1,\"tll\":\"1s\"}}]}",
      "{\"then\":[{\"set\":{\"key\":\"a\",\"value\":1,\"ttl\":5}}]}",
      "{\"then\":[{\"set\":{\"key\":\"a\",\"value\":1,\"ttl\":\"1s\",\"keepTTL\":true}}]}",
      "{\"then\":[{\"set\":{\"key\":\"a\",\"value\":1,\"ifAbsent\":true,\"ifExists\":true}}]}",
      "{\"then\":[{\"push\":{\"key\":\"a\"}}]}",
      "{\"then\":[{\"push\":{\"key\":\"a\",\"items\":[1]}}]}",
      "{\"then\":[{\"get\":{\"key\":\"\"}}]}",
      "{\"then\":[{\"get\":{\"key\":\"a\",\"keyEncoding\":\"rot13\"}}]}",
    ])
  func refusesJSON(json: String) {
    #expect(throws: UsageError.self) { try TransactionJSON.request(json.bytes) }
  }

  @Test("The outcome is printed with the keys of the steps that were taken")
  func printsOutcome() {
    let request = TransactRequest(
      success: [
        Operation(kind: .get(GetRequest(key: "a".bytes))),
        Operation(kind: .increment(IncrementRequest(key: "n".bytes))),
        Operation(kind: .pop(PopRequest(key: "l".bytes))),
        Operation(kind: .delete(DeleteRequest(key: "d".bytes))),
      ])
    let response = TransactResponse(
      succeeded: true,
      results: [
        OperationResult(
          kind: .get(
            GetResponse(found: true, entry: Entry(value: Value(kind: .textValue("v".bytes)))))),
        OperationResult(kind: .increment(IncrementResponse(value: 6))),
        OperationResult(kind: .pop(PopResponse(items: ["x".bytes, "y".bytes]))),
        OperationResult(kind: .delete(DeleteResponse(deleted: false))),
      ], revision: 12)
    func printed(_ format: OutputFormat) -> String {
      let printer = TransactionPrinter(
        Presentation(format: format, isHex: false, isTerminal: false, style: .plain))
      return String(decoding: printer.rendered(request, response), as: UTF8.self)
    }
    #expect(
      printed(.simple)
        == "succeeded\t12\nget\ta\tv\nincr\tn\t6\npop\tl\tx\ty\ndel\td\t(not found)\n")
    #expect(
      printed(.json)
        == #"{"succeeded":true,"revision":12,"results":[{"op":"get","key":"a","found":true,"#
        + #""type":"text","value":"v","revision":0,"createRevision":0,"version":0,"#
        + #""createdAtMs":0,"updatedAtMs":0,"expiresAtMs":null},{"op":"incr","key":"n","value":6},"#
        + #"{"op":"pop","key":"l","items":["x","y"],"length":0},"#
        + #"{"op":"del","key":"d","deleted":false}]}"#
        + "\n")
    #expect(printed(.table).contains("   3  pop        l    x, y\n"))
  }

  @Test("A large push is sent in batches of bounded count and size")
  func batchesPushes() {
    func sizes(_ items: [[UInt8]]) -> [Int] {
      var batches = PushBatches(items)
      var counts: [Int] = []
      while let batch = batches.next() { counts.append(batch.count) }
      return counts
    }
    #expect(sizes(Array(repeating: [1], count: 2500)) == [1000, 1000, 500])
    #expect(sizes(Array(repeating: [UInt8](repeating: 0, count: 600_000), count: 3)) == [1, 1, 1])
    #expect(sizes([[UInt8](repeating: 0, count: 3 << 20), [1], [2]]) == [1, 2])
    #expect(sizes([]) == [])
  }
}
