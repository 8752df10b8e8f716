import Testing

@testable import roost

/// Commands about lists, with a real server.
@Suite("Commands about lists")
struct ListCommandTests {
  @Test("Items are pushed and popped at both ends, and a list that is empty ends with status 1")
  func pushesAndPops() async throws {
    try await RunningServer.with { (server) async throws in
      #expect(try server.roost("push", "l", "b", "c").text == "2\n")
      #expect(try server.roost("push", "l", "a", "--front").text == "3\n")
      #expect(try server.roost("range", "l").text == "a\nb\nc\n")
      #expect(try server.roost("len", "l").text == "3\n")
      #expect(try server.roost("pop", "l").text == "c\n")
      #expect(try server.roost("pop", "l", "--front").text == "a\n")
      let rest = try server.roost("pop", "l", "5", "-o", "json")
      #expect(rest.text.hasPrefix("{\"key\":\"l\",\"items\":[\"b\"],\"length\":0,"), "\(rest)")
      let empty = try server.roost("pop", "l")
      #expect(empty.status == 1 && empty.output.isEmpty && empty.errorText == "not found: l\n")
      let length = try server.roost("len", "l")
      #expect(length.status == 1 && length.text == "0\n", "\(length)")
      #expect(try server.roost("range", "l").status == 1)
      #expect(try server.roost("push", "l", "x", "--if-exists").status == 1)
    }
  }

  @Test("Ranges count from both ends")
  func reads() async throws {
    try await RunningServer.with { (server) async throws in
      #expect(try server.roost("push", "l", "a", "b", "c", "d").status == 0)
      #expect(try server.roost("range", "l", "1", "2").text == "b\nc\n")
      #expect(try server.roost("range", "l", "-2", "-1").text == "c\nd\n")
      #expect(try server.roost("range", "l", "9").text == "")
      #expect(try server.roost("range", "l", "9").status == 0)
      #expect(
        try server.roost("range", "l", "-1", "-1", "-o", "table").text
          == "INDEX  ITEM\n    3  d\n")
      #expect(try server.roost("get", "l").text == "a\nb\nc\nd\n")
      #expect(
        try server.roost("get", "l", "-o", "json").text
          .contains("\"type\":\"list\",\"value\":[\"a\",\"b\",\"c\",\"d\"],"))
    }
  }

  @Test("Items are bytes: exact alone and raw, escaped in lines, ended by zero bytes with --null")
  func keepsBytes() async throws {
    try await RunningServer.with { (server) async throws in
      let item: [UInt8] = [0x61, 0x0a, 0xff, 0]
      #expect(try server.roost("push", "l", "-", input: item).text == "1\n")
      #expect(try server.roost("push", "6c", "ff5c", "--hex").status == 0)
      #expect(try server.roost("range", "l").text == "a\\n\\xff\\x00\n\\xff\\\\\n")
      #expect(
        try server.roost("range", "l", "-o", "raw", "-0").output == item + [0, 0xff, 0x5c, 0])
      #expect(
        try server.roost("range", "l", "-o", "json").text
          .contains("\"items\":[\"YQr/AA==\",\"/1w=\"],\"valueEncoding\":\"base64\""))
      #expect(try server.roost("pop", "l", "--front", "-o", "raw").output == item)
      #expect(try server.roost("pop", "l").output == [0xff, 0x5c, 0x0a])
    }
  }

  @Test("Lines of standard input are items, more than one call takes, in their order")
  func pushesLines() async throws {
    try await RunningServer.with { (server) async throws in
      let lines = (0..<2345).map(String.init)
      let outcome = try server.roost(
        "push", "l", "--lines", input: lines.joined(separator: "\n").bytes)
      #expect(outcome.text == "2345\n", "\(outcome)")
      #expect(try server.roost("range", "l").text == lines.map { $0 + "\n" }.joined())
      #expect(
        try server.roost("push", "m", "--lines", "-0", input: "a\nb\0c\0".bytes).text == "2\n")
      #expect(try server.roost("pop", "m", "--front").text == "a\nb\n")
      #expect(try server.roost("push", "m", "--lines").status == 2)
    }
  }

  @Test("A list is trimmed to its greatest length, and ends when it is told to")
  func trims() async throws {
    try await RunningServer.with { (server) async throws in
      for item in ["a", "b", "c"] {
        let arguments = ["push", "l", item, "--front", "--max-length", "2", "--ttl", "1h"]
        #expect(try server.roost(bytes: arguments.map(\.bytes)).status == 0)
      }
      #expect(try server.roost("range", "l").text == "c\nb\n")
      #expect(try server.roost("ttl", "l").text != "never\n")
    }
  }

  @Test("A list operation on another type ends with status 4")
  func refusesOtherTypes() async throws {
    try await RunningServer.with { (server) async throws in
      #expect(try server.roost("set", "k", "v").status == 0)
      for arguments in [["push", "k", "x"], ["pop", "k"], ["range", "k"], ["len", "k"]] {
        #expect(try server.roost(bytes: arguments.map(\.bytes)).status == 4, "\(arguments)")
      }
    }
  }
}
