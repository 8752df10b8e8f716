import Testing

/// What the plugin must refuse, with the line and a part of the way out.
struct ForbiddenProto: CustomTestStringConvertible, Sendable {
  var name: String
  var text: String
  /// Each violation: its line, and words from its message.
  var violations: [(line: Int, words: [String])]
  var testDescription: String { name }
}

@Suite("Constructs outside the rules")
struct RuleTests {
  private static let head = "syntax = \"proto3\";\npackage p;\n"

  static let protos: [ForbiddenProto] = [
    ForbiddenProto(
      name: "optional", text: head + "message M {\n  int32 a = 1;\n  optional int32 b = 2;\n}\n",
      violations: [(5, ["`optional`", "p.M.b", "wrap the field in a oneof"])]),
    ForbiddenProto(
      name: "map", text: head + "message M {\n  map<string, int32> m = 1;\n}\n",
      violations: [(4, ["map `p.M.m`", "`repeated` that message"])]),
    ForbiddenProto(
      name: "group and proto2",
      text: "syntax = \"proto2\";\npackage p;\nmessage M {\n"
        + "  optional group G = 1 {\n    optional int32 a = 1;\n  }\n}\n",
      violations: [
        (1, ["only proto3", "syntax = \"proto3\""]),
        (4, ["`group`", "declare a message and a field of its type"]),
      ]),
    ForbiddenProto(
      name: "no syntax at all", text: "package p;\nmessage M { optional int32 a = 1; }\n",
      violations: [(1, ["only proto3"])]),
    ForbiddenProto(
      name: "proto2 extensions",
      text: "syntax = \"proto2\";\npackage p;\nmessage M { extensions 10 to 20; }\n"
        + "extend M {\n  optional int32 e = 10;\n}\n",
      violations: [(1, ["only proto3"]), (5, ["extension `p.e`", "in the message itself"])]),
    ForbiddenProto(
      name: "direct recursion", text: head + "message M {\n  int32 a = 1;\n  M inner = 2;\n}\n",
      violations: [(5, ["`p.M` contains itself", "p.M.inner", "by an ID"])]),
    ForbiddenProto(
      name: "recursion through a list and a oneof",
      text: head + "message A {\n  repeated B list = 1;\n}\nmessage B {\n  oneof kind {\n"
        + "    C c = 1;\n  }\n}\nmessage C {\n  A a = 1;\n}\n",
      violations: [(12, ["`p.A` contains itself", "p.A.list -> p.B.c -> p.C.a"])]),
    ForbiddenProto(
      name: "recursion through a nested type",
      text: head + "message A {\n  message B {\n    A a = 1;\n  }\n  B b = 1;\n}\n",
      violations: [(5, ["`p.A` contains itself"])]),
    ForbiddenProto(
      name: "names that C cannot tell apart",
      text: head + "message M {\n  int32 base = 1;\n  repeated int32 x = 2;\n  int32 n_x = 3;\n"
        + "  oneof kind { int32 y = 4; }\n  int32 kind_case = 5;\n  int32 restrict = 6;\n}\n",
      violations: [
        (4, ["p.M.base", "libprotobuf-c's own header", "rename"]),
        (6, ["p.M.n_x", "the count of `x`"]), (8, ["p.M.kind_case", "the case of oneof"]),
        (9, ["p.M.restrict", "a word of the language"]),
      ]),
    ForbiddenProto(
      name: "types that C cannot tell apart",
      text: head + "message M1 {}\nmessage M_1 {}\nmessage URl {}\nenum Url { ZERO = 0; }\n",
      violations: [
        (4, ["`p.M_1` and `p.M1` are both `P__M1` in C", "rename"]),
        (6, ["`p.Url` and `p.URl` are both `p__url__init` in C", "rename"]),
      ]),
    ForbiddenProto(
      name: "taken names without a package",
      text: "syntax = \"proto3\";\nmessage ProtobufCMessage {}\nmessage Message {}\n",
      violations: [(2, ["`ProtobufCMessage`", "a package"]), (3, ["`Message`", "a package"])]),
    ForbiddenProto(
      name: "methods that protoc-c cannot declare",
      text: head + "message M {}\nservice S {\n  rpc Register(M) returns (M);\n"
        + "  rpc GetIt(M) returns (M);\n  rpc Get_it(M) returns (M);\n"
        + "  rpc Init(M) returns (M);\n}\n",
      violations: [
        (5, ["p.S.Register", "`register`", "only in the run that writes Swift"]),
        (7, ["p.S.Get_it", "`get_it`"]), (8, ["p.S.Init", "`init`"]),
      ]),
    ForbiddenProto(
      name: "names that Swift cannot tell apart",
      text: head + "message M {\n  message View {}\n  message ViewMessage {}\n"
        + "  oneof some { int32 a = 1; }\n  oneof some_ { int32 b = 2; }\n}\n",
      violations: [
        (5, ["another type of `p.M` is `ViewMessage` in Swift"]),
        (7, ["another field of `p.M` is `some_` in Swift"]), (7, []),
      ]),
  ]

  @Test("Each gets an error that names file, line and the way out", arguments: protos)
  func forbidden(_ proto: ForbiddenProto) throws {
    let folder = try ScratchFolder()
    try folder.write(proto.text.utf8, to: "bad.proto")
    let result = try Plugin.generate(
      ["bad.proto"], in: folder.path, output: folder.path, options: "Output=Check")
    #expect(result.status != 0)
    let violations = reported(result.errors)
    for (line, words) in proto.violations {
      let violation = try #require(
        violations.first { $0.hasPrefix("bad.proto:\(line): ") }, "\(result.errors)")
      for word in words + ["Way out: "] { #expect(violation.contains(word)) }
    }
    #expect(violations.count == proto.violations.count, "\(result.errors)")
  }

  /// Each line that names a place, with the way out that follows it.
  private func reported(_ errors: String) -> [String] {
    errors.split(separator: "\n").reduce(into: []) { violations, line in
      if line.hasPrefix("bad.proto:") {
        violations.append(String(line))
      } else if !violations.isEmpty {
        violations[violations.count - 1] += line
      }
    }
  }

  @Test("Nothing is written where a rule is broken")
  func nothingWritten() throws {
    let folder = try ScratchFolder()
    try folder.write(Self.protos[0].text.utf8, to: "bad.proto")
    let result = try Plugin.generate(
      ["bad.proto"], in: folder.path, output: folder.path, options: "CModule=C")
    #expect(result.status != 0)
    #expect(throws: SpawnError.self) { try folder.read("bad.ttrpc.swift") }
  }

  @Test("The same Swift name from two packages is refused, and a prefix is the way out")
  func sameName() throws {
    let folder = try ScratchFolder()
    try folder.write("syntax = \"proto3\"; package a; message M {}".utf8, to: "a.proto")
    try folder.write("syntax = \"proto3\"; package b; message M {}".utf8, to: "b.proto")
    let files = ["a.proto", "b.proto"]
    let refused = try Plugin.generate(
      files, in: folder.path, output: folder.path, options: "CModule=C")
    #expect(refused.errors.contains("b.proto:1: `b.M` and `a.M` are both `M` in Swift"))
    #expect(refused.errors.contains("swift_prefix"))
    try folder.write(
      "syntax = \"proto3\"; package b; option swift_prefix = \"B\"; message M {}".utf8,
      to: "b.proto")
    let accepted = try Plugin.generate(
      files, in: folder.path, output: folder.path, options: "CModule=C")
    #expect(accepted.status == 0, "\(accepted.errors)")
    let swift = String(decoding: try folder.read("b.ttrpc.swift"), as: UTF8.self)
    #expect(swift.contains("public struct BM: Message"))
  }

  @Test("A type of a file that is not generated along is refused")
  func missingFile() throws {
    let folder = try ScratchFolder()
    try folder.write("syntax = \"proto3\"; package a; message M {}".utf8, to: "a.proto")
    try folder.write(
      "syntax = \"proto3\"; package b; import \"a.proto\";\nmessage N { a.M m = 1; }".utf8,
      to: "b.proto")
    let result = try Plugin.generate(
      ["b.proto"], in: folder.path, output: folder.path, options: "CModule=C")
    #expect(result.errors.contains("b.proto:2: `b.N.m` uses a type of a.proto"))
  }

  @Test("A type that TTRPC's own C module holds is refused: its symbols would be there twice")
  func envelopeType() throws {
    let folder = try ScratchFolder()
    try folder.write(
      "syntax = \"proto3\";\npackage google.rpc;\nmessage Status { int32 code = 1; }".utf8,
      to: "status.proto")
    func generate(_ module: String) throws -> ProcessResult {
      try Plugin.generate(
        ["status.proto"], in: folder.path, output: folder.path,
        options: "Output=Header,CModule=\(module)")
    }
    #expect(try generate("C").errors.contains("status.proto:3: `google.rpc.Status` is in"))
    #expect(try generate("CTTRPCProtos").status == 0)
  }

  @Test("A service whose methods C has no names for is Swift's alone")
  func swiftOnlyService() throws {
    let folder = try ScratchFolder()
    try folder.write("syntax = \"proto3\"; message M {}".utf8, to: "m.proto")
    try folder.write(
      "syntax = \"proto3\"; import \"m.proto\"; service S { rpc Register(M) returns (M); }".utf8,
      to: "s.proto")
    let result = try Plugin.generate(
      ["m.proto", "s.proto"], in: folder.path, output: folder.path, options: "CModule=C")
    #expect(result.status == 0, "\(result.errors)")
    let swift = String(decoding: try folder.read("s.ttrpc.swift"), as: UTF8.self)
    #expect(swift.contains("func register("))
  }

  @Test(
    "A wrong parameter is named",
    arguments: [
      ("Foo=1,CModule=C", "unknown parameter Foo"), ("Output=Go", "Output=Go"),
      ("", "CModule=NAME is missing"),
    ])
  func parameters(options: String, message: String) throws {
    let folder = try ScratchFolder()
    try folder.write("syntax = \"proto3\"; message M {}".utf8, to: "a.proto")
    let result = try Plugin.generate(
      ["a.proto"], in: folder.path, output: folder.path, options: options)
    #expect(result.status != 0)
    #expect(result.errors.contains(message))
  }
}
