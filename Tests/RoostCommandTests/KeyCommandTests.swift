import Testing

@testable import roost

/// Commands about keys, with a real server.
@Suite("Commands about keys")
struct KeyCommandTests {
  @Test("A value that was set is read back, and one that was not ends with status 1")
  func setsAndGets() async throws {
    try await RunningServer.with { (server) async throws in
      let set = try server.roost("set", "greeting", "hello")
      #expect(set.status == 0 && Int64(set.text.dropLast()) != nil, "\(set)")
      let get = try server.roost("get", "greeting")
      #expect(get.status == 0 && get.text == "hello\n" && get.errorOutput.isEmpty, "\(get)")
      let missing = try server.roost("get", "nothing")
      #expect(missing.status == 1 && missing.output.isEmpty, "\(missing)")
      #expect(missing.errorText == "not found: nothing\n")
      let json = try server.roost("get", "nothing", "-o", "json")
      #expect(json.status == 1 && json.text == "{\"key\":\"nothing\",\"found\":false}\n")
    }
  }

  @Test("Any bytes survive as key and value: by standard input, file, hexadecimal and raw output")
  func keepsBytes() async throws {
    try await RunningServer.with { (server) async throws in
      let bytes = (0..<1024).map { UInt8(truncatingIfNeeded: $0 &* 7) } + [0, 0x0a, 0xff]
      #expect(try server.roost("set", "k", "-", input: bytes).status == 0)
      #expect(try server.roost("get", "k", "-o", "raw").output == bytes)
      #expect(try server.roost("get", "k").output == bytes + [0x0a])
      #expect(try server.roost("get", "k", "--hex", "-o", "raw").status == 2)
      #expect(
        try server.roost("get", HexText.text("k".bytes), "--hex").text == HexText.text(bytes) + "\n"
      )

      let key: [UInt8] = [0x61, 0, 0xff, 0x0a]
      #expect(try server.roost("set", HexText.text(key), "00ff", "--hex").status == 0)
      #expect(try server.roost("get", "-", "-o", "raw", input: key).output == [0, 0xff])
      let json = try server.roost("get", "-", "-o", "json", input: key)
      #expect(
        json.text.hasPrefix(
          #"{"key":"YQD/Cg==","keyEncoding":"base64","found":true,"type":"bytes","#
            + #""value":"AP8=","valueEncoding":"base64","revision":"#), "\(json)")
      #expect(try server.roost("scan", "--prefix", "a").text == "a\\x00\\xff\\n\t\\x00\\xff\n")

      let path = "\(server.directory)/value"
      _ = try ChildProcess.run(
        "/bin/sh", ["-c".bytes, "cat > \(path)".bytes], environment: [:], input: bytes)
      #expect(try server.roost("set", "f", "--file", path).status == 0)
      #expect(try server.roost("get", "f", "-o", "raw").output == bytes)
      #expect(try server.roost("set", "e", "").status == 0)
      #expect(try server.roost("get", "e", "-o", "raw").output == [])
      #expect(try server.roost("set", "f", "--file", "/nonexistent").status == 2)
    }
  }

  @Test("A write that is repeated under its idempotency key happens once")
  func repeatsWrites() async throws {
    try await RunningServer.with { (server) async throws in
      for _ in 0..<2 {
        let added = try server.roost("incr", "n", "5", "--idempotency-key", "a")
        #expect(added.status == 0 && added.text == "5\n", "\(added)")
        let pushed = try server.roost("push", "l", "x", "--idempotency-key", "b")
        #expect(pushed.status == 0 && pushed.text == "1\n", "\(pushed)")
        let deleted = try server.roost("del", "n2", "--idempotency-key", "c")
        #expect(deleted.status == 1, "nothing changed, so nothing is kept: \(deleted)")
      }
      let other = try server.roost("incr", "n", "6", "--idempotency-key", "a")
      #expect(other.status == 2 && other.errorText.contains("idempotency"), "\(other)")
      #expect(try server.roost("get", "n").text == "5\n")
      #expect(try server.roost("set", "k", "v", "--idempotency-key", "").status == 2)
      let long = String(repeating: "x", count: 65)
      #expect(try server.roost("set", "k", "v", "--idempotency-key", long).status == 2)
    }
  }

  @Test("Values keep their type, and JSON shows it")
  func keepsTypes() async throws {
    try await RunningServer.with { (server) async throws in
      for (type, text, json) in [
        ("int", "-9223372036854775808", "-9223372036854775808"), ("double", "0.5", "0.5"),
        ("bool", "true", "true"), ("text", "5", "\"5\""), ("bytes", "5", "\"5\""),
      ] {
        #expect(try server.roost("set", type, text, "--type", type).status == 0)
        #expect(try server.roost("get", type).text == text + "\n")
        let got = try server.roost("get", type, "-o", "json").text
        #expect(got.contains("\"type\":\"\(type)\",\"value\":\(json),"), "\(got)")
      }
      #expect(try server.roost("set", "n", "-", "--type", "int", input: "42\n".bytes).status == 0)
      #expect(try server.roost("incr", "n").text == "43\n")
      #expect(try server.roost("set", "n", "x", "--type", "int").status == 2)
    }
  }

  @Test("Conditions that do not hold end with status 4, and with 1 where the key is missing")
  func checksConditions() async throws {
    try await RunningServer.with { (server) async throws in
      let revision = try server.roost("set", "k", "1", "--if-absent").text.dropLast()
      let taken = try server.roost("set", "k", "2", "--if-absent")
      #expect(taken.status == 4 && taken.errorText.contains("--if-absent"), "\(taken)")
      #expect(try server.roost("set", "k", "2", "--if-revision", String(revision)).status == 0)
      let stale = try server.roost("set", "k", "3", "--if-revision", String(revision))
      #expect(stale.status == 4 && stale.errorText.contains("retry"), "\(stale)")
      #expect(try server.roost("del", "k", "--if-revision", String(revision)).status == 4)
      #expect(try server.roost("get", "k").text == "2\n")
      #expect(try server.roost("set", "nothing", "1", "--if-exists").status == 1)
      #expect(try server.roost("set", "nothing", "1", "--if-revision", "5").status == 1)
      #expect(try server.roost("update", "nothing", "1").status == 1)
      #expect(try server.roost("update", "k", "3").status == 0)
      #expect(try server.roost("get", "k").text == "3\n")
      #expect(try server.roost("set", "k", "v", "--durability", "synced").status == 0)
    }
  }

  @Test("Lifetimes are set, shown, kept, changed and taken away")
  func handlesLifetimes() async throws {
    try await RunningServer.with { (server) async throws in
      #expect(try server.roost("set", "k", "v", "--ttl", "1h").status == 0)
      let rest = try server.roost("ttl", "k").text.dropLast()
      let millis = try DurationText.milliseconds(String(rest))
      #expect((3_500_000...3_600_000).contains(millis), "\(rest)")
      #expect(try server.roost("update", "k", "w", "--keep-ttl").status == 0)
      #expect(try server.roost("ttl", "k").text != "never\n")
      #expect(try server.roost("touch", "k", "--ttl", "never").text == "never\n")
      #expect(try server.roost("ttl", "k").text == "never\n")
      #expect(
        try server.roost("ttl", "k", "-o", "json").text
          == "{\"key\":\"k\",\"ttlMs\":null,\"expiresAtMs\":null}\n")
      #expect(try server.roost("touch", "k", "--ttl", "2d").status == 0)
      #expect(try server.roost("set", "k", "v").status == 0)
      #expect(try server.roost("ttl", "k").text == "never\n")
      #expect(try server.roost("ttl", "nothing").status == 1)
      #expect(try server.roost("touch", "nothing", "--ttl", "1s").status == 1)
      #expect(try server.roost("set", "k", "v", "--ttl", "11y").status == 2)
      #expect(try server.roost("set", "k", "v", "--ttl", "9999d").status == 2)
    }
  }

  @Test("Counters add, start where they are told to, and end with status 7 at the edge of Int64")
  func increments() async throws {
    try await RunningServer.with { (server) async throws in
      #expect(try server.roost("incr", "n").text == "1\n")
      #expect(try server.roost("incr", "n", "41").text == "42\n")
      #expect(try server.roost("incr", "n", "-50").text == "-8\n")
      #expect(try server.roost("incr", "m", "1", "--initial", "-100").text == "-99\n")
      #expect(try server.roost("incr", "n", "-9223372036854775808").status == 7)
      #expect(try server.roost("incr", "n", "-o", "json").text.contains("\"value\":-7,"))
      #expect(try server.roost("set", "t", "text").status == 0)
      #expect(try server.roost("incr", "t").status == 4)
    }
  }

  @Test("Keys are deleted, and a missing one among them ends with status 1")
  func deletes() async throws {
    try await RunningServer.with { (server) async throws in
      for key in ["a", "b", "c"] { #expect(try server.roost("set", key, key).status == 0) }
      let outcome = try server.roost("del", "a", "nothing", "b")
      #expect(outcome.status == 1 && outcome.text == "2\n", "\(outcome)")
      #expect(outcome.errorText == "not found: nothing\n")
      #expect(try server.roost("del", "c", "-o", "json").text.hasPrefix("{\"deleted\":1,"))
      #expect(try server.roost("count").text == "0\n")
    }
  }

  @Test("Several keys are read at once, from arguments and from standard input")
  func readsSeveral() async throws {
    try await RunningServer.with { (server) async throws in
      for key in ["a", "b\n"] {
        #expect(try server.roost(bytes: ["set".bytes, key.bytes, "1".bytes]).status == 0)
      }
      let outcome = try server.roost("mget", "a", "nothing", "b\n")
      #expect(outcome.status == 1 && outcome.text == "a\t1\nb\\n\t1\n", "\(outcome)")
      #expect(outcome.errorText == "not found: nothing\n")
      let json = try server.roost("mget", "nothing", "a", "-o", "json")
      #expect(json.status == 1 && json.text.hasPrefix("{\"key\":\"nothing\",\"found\":false}\n"))
      #expect(try server.roost("mget", "-", input: "a\n".bytes).text == "a\t1\n")
      let null = try server.roost("mget", "-", "-0", input: "b\n\0a".bytes)
      #expect(null.status == 0 && null.text == "b\\n\t1\na\t1\n", "\(null)")
      #expect(try server.roost("mget", "-", "-", input: "a".bytes).status == 2)
    }
  }

  @Test("A list that no answer holds is said to be left out, wherever it is asked for")
  func leavesOutLargeLists() async throws {
    try await RunningServer.with { (server) async throws in
      let item = [UInt8](repeating: UInt8(ascii: "x"), count: 1_000_000)
      for _ in 0..<5 { #expect(try server.roost("push", "big", "-", input: item).status == 0) }
      #expect(try server.roost("set", "small", "1").status == 0)
      let get = try server.roost("get", "big")
      #expect(get.status == 6 && get.output.isEmpty, "\(get)")
      #expect(
        get.errorText.contains("5 items") && get.errorText.contains("roost range"), "\(get)")
      #expect(try server.roost("get", "big", "--keys-only", "-o", "json").status == 0)
      let batch = try server.roost("mget", "big", "small")
      #expect(batch.status == 6 && batch.text == "big\t(too large)\nsmall\t1\n", "\(batch)")
      #expect(batch.errorText.contains("roost range"), "\(batch)")
      #expect(try server.roost("mget", "big", "--keys-only").status == 0)
      let steps = try server.roost("txn", "get big", "get small")
      #expect(steps.status == 0 && steps.text.hasSuffix("get\tbig\t(too large)\nget\tsmall\t1\n"))
      let json = try server.roost("txn", "get big", "-o", "json")
      #expect(json.text.contains("\"valueOmitted\":true"), "\(json)")
    }
  }

  @Test("More keys than one batch holds are read in batches, and those too large one by one")
  func readsBatches() async throws {
    try await RunningServer.with { (server) async throws in
      let lines = (0..<2500).map { "k\($0)" }
      let steps = lines.map { "set \($0) \($0)" }
      for start in stride(from: 0, to: steps.count, by: 125) {
        let text = steps[start..<(start + 125)].joined(separator: "\n")
        #expect(try server.roost("txn", "-", input: text.bytes).status == 0)
      }
      let all = try server.roost("mget", "-", input: lines.joined(separator: "\n").bytes)
      #expect(all.status == 0)
      #expect(all.text == lines.map { "\($0)\t\($0)\n" }.joined())
      let large = [UInt8](repeating: UInt8(ascii: "x"), count: 1_000_000)
      for index in 0..<6 {
        #expect(try server.roost("set", "l\(index)", "-", input: large).status == 0)
      }
      let many = try server.roost("mget", "l0", "l1", "l2", "l3", "l4", "l5", "-o", "raw")
      #expect(many.status == 0 && many.output.count == 6 * 1_000_001, "\(many.errorText)")
      let scan = try server.roost("scan", "--prefix", "l", "-o", "raw")
      #expect(scan.status == 0 && scan.output.count == 6 * 1_000_001, "\(scan.errorText)")
    }
  }
}
