import Testing

@Suite("The generator's output")
struct GoldenTests {
  private static let goldens = "\(repository)/Tests/Goldens"

  @Test(
    "It is what it was, byte for byte",
    arguments: ["catalogue.ttrpc.swift", "Catalogue.swift", "CCatalogue.h"])
  func golden(name: String) throws {
    let folder = try ScratchFolder()
    let outputs = [
      "Module=M,CModule=CCatalogue,Registry=Catalogue",
      "Output=Header,CModule=CCatalogue",
    ]
    for options in outputs {
      let result = try Plugin.generate(
        ["catalogue.proto"], in: Self.goldens, output: folder.path, options: options)
      try #require(result.status == 0, "\(result.errors)")
    }
    let expected = String(
      decoding: try readFile("\(Self.goldens)/\(name).golden"), as: UTF8.self)
    let actual = String(decoding: try folder.read(name), as: UTF8.self)
    for (line, pair) in zip(lines(actual), lines(expected)).enumerated() {
      try #require(pair.0 == pair.1, "\(name), line \(line + 1)")
    }
    #expect(actual == expected)
  }

  private func lines(_ text: String) -> [Substring] {
    text.split(separator: "\n", omittingEmptySubsequences: false)
  }

  @Test("Tools/generate --check finds the committed output current")
  func current() throws {
    let result = try run("\(repository)/Tools/generate", ["--check"])
    #expect(
      result.status == 0, "\(String(decoding: result.output, as: UTF8.self))\(result.errors)")
  }
}
