import NIOCore
import RoostClient
import Testing

private struct User: Codable, Sendable, Equatable {
  var name: String
  var age: Int
  var tags: [String] = []
}

@Suite("Typed values") struct ValueTests {
  @Test("Native types come back as they went")
  func native() async throws {
    try await withStore { (client) async throws in
      try await client.set("text", "grüß\0dich")
      try await client.set("int", Int.min)
      try await client.set("int32", Int32(7))
      try await client.set("double", -0.5)
      try await client.set("bool", true)
      try await client.set("bytes", [0, 255, 0] as [UInt8])
      try await client.set("buffer", ByteBuffer(bytes: [1, 2, 3]))
      try await client.set("list", ["a", "", "ü"])
      let text = try await client.get("text", as: String.self)
      let int: Int? = try await client.get("int")
      let int32 = try await client.get("int32", as: Int32.self)
      let double = try await client.get("double", as: Double.self)
      let bool = try await client.get("bool", as: Bool.self)
      let bytes = try await client.get("bytes", as: [UInt8].self)
      let buffer = try await client.get("buffer", as: ByteBuffer.self)
      let list = try await client.get("list", as: [String].self)
      let byteList = try await client.get("list", as: [[UInt8]].self)
      #expect(text == "grüß\0dich" && int == .min && int32 == 7 && double == -0.5)
      #expect(bool == true && bytes == [0, 255, 0] && buffer == ByteBuffer(bytes: [1, 2, 3]))
      #expect(list == ["a", "", "ü"] && byteList?.last == Array("ü".utf8))
    }
  }

  @Test("A Codable value is the JSON of a text, keys in order")
  func codable() async throws {
    try await withStore { (client) async throws in
      let user = User(name: "Ada", age: 36, tags: ["a/b"])
      try await client.set("user:1", user)
      let read = try await client.get("user:1", as: User.self)
      let json = try await client.get("user:1", as: String.self)
      let entry = try await client.entry("user:1", as: User.self)
      #expect(read == user && entry?.value == user)
      #expect(json == #"{"age":36,"name":"Ada","tags":["a/b"]}"#)
      try await client.set("numbers", [1, 2, 3])
      #expect(try await client.get("numbers", as: String.self) == "[1,2,3]")
      let numbers = try await client.get("numbers", as: [Int].self)
      #expect(numbers == [1, 2, 3])
    }
  }

  @Test("Another type is an error that names both")
  func mismatch() async throws {
    try await withStore { (client) async throws in
      try await client.set("n", 5)
      let text = await failure { () async throws(RoostError) in
        try await client.get("n", as: String.self)
      }
      #expect(text?.typeMismatch?.stored == .int && text?.typeMismatch?.requested == "String")
      #expect(text?.code == .failedPrecondition)
      #expect(text?.message.contains("'n'") == true && text?.message.contains("int") == true)
      let user = await failure { () async throws(RoostError) in
        try await client.get("n", as: User.self)
      }
      #expect(user?.typeMismatch?.stored == .int)
      #expect(user?.typeMismatch?.requested.contains("User") == true)
      try await client.set("large", Int64.max)
      let small = await failure { () async throws(RoostError) in
        try await client.get("large", as: Int32.self)
      }
      #expect(small?.typeMismatch?.requested == "Int32")
    }
  }

  @Test("A text that is not the type's JSON is an error that says where")
  func badJSON() async throws {
    try await withStore { (client) async throws in
      try await client.set("u", #"{"name":"Ada","age":"old","tags":[]}"#)
      let error = await failure { () async throws(RoostError) in
        try await client.get("u", as: User.self)
      }
      #expect(error?.code == .failedPrecondition && error?.typeMismatch == nil)
      #expect(error?.message.contains("age") == true && error?.message.contains("User") == true)
    }
  }

  @Test("Keys are texts, bytes, buffers, and what an application makes one")
  func keys() async throws {
    struct UserID: RoostKeyConvertible {
      let number: Int
      var roostKey: RoostKey { "user:\(number)" }
    }
    try await withStore { (client) async throws in
      let name = "user:7"
      try await client.set(UserID(number: 7), "x")
      #expect(try await client.get(name, as: String.self) == "x")
      #expect(try await client.get(name[...], as: String.self) == "x")
      #expect(try await client.get(Array(name.utf8), as: String.self) == "x")
      #expect(try await client.get(ByteBuffer(string: name), as: String.self) == "x")
      try await client.set([0, 255] as [UInt8], "binary")
      let keys = try await client.scanKeys().reduce(into: [String]()) { $0.append("\($1.key)") }
      #expect(keys == ["0x00ff", "user:7"])
    }
  }

  @Test("Absence is nil; an empty key is an error")
  func absent() async throws {
    try await withStore { (client) async throws in
      #expect(try await client.get("none", as: String.self) == nil)
      #expect(try await client.entry("none", as: Int.self) == nil)
      #expect(try await client.info("none") == nil)
      #expect(try await client.exists("none") == false)
      #expect(try await client.take("none", as: String.self) == nil)
      let error = await failure { () async throws(RoostError) in
        try await client.get("", as: String.self)
      }
      #expect(error?.code == .invalidArgument)
    }
  }
}
