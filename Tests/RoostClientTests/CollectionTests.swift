import RoostClient
import Testing

@Suite("Lists, many keys, scans and transactions") struct CollectionTests {
  @Test("Lists push and pop at both ends")
  func lists() async throws {
    try await withStore { (client) async throws in
      #expect(try await client.push("q", "b") == 1)
      #expect(try await client.push("q", contentsOf: ["c", "d"]) == 3)
      #expect(try await client.push("q", "a", to: .front) == 4)
      #expect(try await client.listRange("q", as: String.self) == ["a", "b", "c", "d"])
      #expect(try await client.listRange("q", from: -2, as: String.self) == ["c", "d"])
      #expect(try await client.listLength("q") == 4)
      #expect(try await client.pop("q", as: String.self) == "a")
      #expect(try await client.pop("q", count: 2, from: .back, as: String.self) == ["d", "c"])
      #expect(try await client.push("q", contentsOf: ["x", "y", "z"], maxLength: 2) == 2)
      #expect(try await client.listRange("q", as: String.self) == ["y", "z"])
      #expect(try await client.pop("q", count: 10, as: String.self) == ["y", "z"])
      #expect(try await client.pop("q", as: String.self) == nil)
      #expect(try await client.listRange("q", as: String.self) == nil)
      #expect(try await client.listLength("q") == 0)
      let missing = await failure { () async throws(RoostError) in
        try await client.push("q", "x", mustExist: true)
      }
      #expect(missing?.code == .notFound)
    }
  }

  @Test("Items that are no text are an error that counts them")
  func badItems() async throws {
    try await withStore { (client) async throws in
      try await client.push("q", contentsOf: [[0xff], Array("ok".utf8)])
      let error = await failure { () async throws(RoostError) in
        try await client.listRange("q", as: String.self)
      }
      #expect(error?.message.contains("1 of 2") == true)
      #expect(try await client.listRange("q", as: [UInt8].self)?.count == 2)
    }
  }

  @Test("Many keys are read at once, in their order")
  func manyKeys() async throws {
    try await withStore { (client) async throws in
      for number in 0..<5 { try await client.set("k\(number)", number) }
      let values = try await client.get(keys: ["k3", "none", "k0"], as: Int.self)
      #expect(values == [3, nil, 0])
      let entries = try await client.entries(keys: ["k1"], as: Int.self)
      #expect(entries[0]?.key == "k1" && entries[0]?.version == 1)
      #expect(try await client.get(keys: [RoostKey](), as: Int.self).isEmpty)
    }
  }

  @Test("A scan goes over all pages, forward and backward, by range and pattern")
  func scan() async throws {
    try await withStore { (client) async throws in
      for number in 100..<350 { try await client.set("k:\(number)", number) }
      try await client.set("other", "text")
      var values: [Int] = []
      for try await entry in client.scan(.prefix("k:"), pageSize: 7, as: Int.self) {
        values.append(entry.value)
      }
      #expect(values == Array(100..<350))
      let backward = try await client.scan(.prefix("k:"), reverse: true, as: Int.self)
        .reduce(into: [Int]()) { $0.append($1.value) }
      #expect(backward == (100..<350).reversed())
      let range = try await client.scanKeys(.from("k:120", to: "k:123"))
        .reduce(into: [RoostKey]()) { $0.append($1.key) }
      #expect(range == ["k:120", "k:121", "k:122"])
      let globbed = try await client.scanKeys(matching: .glob("k:1?5"), pageSize: 3)
        .reduce(into: 0) { count, _ in count += 1 }
      #expect(globbed == 10)
      let matched = try await client.scanKeys(matching: .regex("^o.*r$"))
        .reduce(into: [RoostKey]()) { $0.append($1.key) }
      #expect(matched == ["other"])
      let error = await #expect(throws: RoostError.self) {
        for try await _ in client.scanKeys(matching: .regex("(")) {}
      }
      #expect(error?.code == .invalidArgument)
      #expect(try await client.count(.prefix("k:")) == 250)
      #expect(try await client.delete(.prefix("k:"), dryRun: true) == 250)
      #expect(try await client.delete(.from("k:2")) == 151)
      #expect(try await client.count() == 100)
    }
  }

  @Test("Values too large for a page are fetched by themselves")
  func largeValues() async throws {
    try await withStore { (client) async throws in
      let value = String(repeating: "x", count: 900_000)
      for number in 0..<8 { try await client.set("k\(number)", value) }
      var count = 0
      for try await entry in client.scan(as: String.self) {
        #expect(entry.value.utf8.count == value.utf8.count)
        count += 1
      }
      #expect(count == 8)
      let values = try await client.get(keys: (0..<8).map { "k\($0)" }, as: String.self)
      #expect(values.allSatisfy { $0?.utf8.count == value.utf8.count })
    }
  }

  @Test("A transaction takes one branch, all of it or nothing")
  func transaction() async throws {
    try await withStore { (client) async throws in
      let stock = try await client.set("stock", 5)
      let sold = try await client.transact(
        if: [.init("stock", .revision(stock.revision)), .init("sold-out", .absent)],
        then: [
          .increment("stock", by: -1), .push("orders", "o1", "o2"), .get("stock"),
          .set("last", "o2"), .delete("none"), .pop("orders"),
        ],
        else: [.get("stock")])
      #expect(sold.succeeded)
      guard case .get(let entry?) = sold.results[2] else { return #expect(Bool(false)) }
      #expect(entry.value == .int(4) && entry.key == "stock")
      #expect(sold.results[0] == .increment(4) && sold.results[1] == .push(length: 2))
      #expect(sold.results[3] == .set(created: true) && sold.results[4] == .delete(deleted: false))
      #expect(sold.results[5] == .pop(items: [Array("o1".utf8)], length: 1))

      let late = try await client.transact(
        if: [.init("stock", .revision(stock.revision))], then: [.delete("stock")],
        else: [.get("none")])
      #expect(!late.succeeded && late.results == [.get(nil)])

      let failed = await failure { () async throws(RoostError) in
        try await client.transact(then: [.set("a", 1), .increment("last")])
      }
      #expect(failed?.code == .failedPrecondition)
      #expect(try await client.exists("a") == false)
    }
  }
}
