import Testing

@testable import RoostAPI
@testable import RoostServer

@Suite("Token format")
struct TokenFormatTests {
  private func make() -> String {
    var generator = SystemRandomNumberGenerator()
    return TokenFormat.make(using: &generator)
  }

  @Test("A new token is 64 characters of roost_<id>_<secret>, and no two are the same")
  func shape() throws {
    let tokens = (0..<200).map { _ in make() }
    #expect(Set(tokens).count == 200)
    for token in tokens {
      #expect(token.utf8.count == 64)
      #expect(TokenFormat.defect(token) == nil)
      let parts = token.split(separator: "_")
      #expect(parts.map(\.count) == [5, 8, 49])
      #expect(TokenFormat.isID(String(parts[1])))
    }
  }

  @Test("The checksum of the format is CRC-32: the check value of its catalogue")
  func checkValue() {
    #expect(withBytes("123456789", TokenFormat.checksum) == 0xCBF4_3926)
  }

  @Test("This token of the first version stays readable for ever")
  func pinned() {
    let token = "roost_erq0c28p_BgsRCHpFGzTRBUr8BbjQeOgov2vsXT0a3oA0DknHbqT1t63oU"
    #expect(token.utf8.count == 64)
    #expect(TokenFormat.defect(token) == nil)
    let digest = HexText.encode(withBytes(token, TokenRecord.digest))
    #expect(digest == "1b3ed3b0d1b5d8be4f9dcd69b7d2ef2d983d15850c0e1b86c5281a48e17adbd4")
  }

  @Test("Every single mistyped character is noticed, and so are two swapped ones")
  func typos() {
    let token = Array(make().utf8)
    for index in token.indices {
      for replacement in Array("0Zz_ ".utf8) where replacement != token[index] {
        var typo = token
        typo[index] = replacement
        #expect(TokenFormat.defect(String(decoding: typo, as: UTF8.self)) != nil)
      }
      if index > 0, token[index] != token[index - 1] {
        var swapped = token
        swapped.swapAt(index, index - 1)
        #expect(TokenFormat.defect(String(decoding: swapped, as: UTF8.self)) != nil)
      }
    }
  }

  @Test("A defect says what is wrong without repeating the token")
  func defects() {
    let token = make()
    #expect(TokenFormat.defect("") == .empty)
    #expect(TokenFormat.defect("hunter2") == .notAToken)
    #expect(TokenFormat.defect(String(token.dropLast(3))) == .length(-3))
    #expect(TokenFormat.defect(token + "\n") == .length(1))
    #expect(TokenFormat.defect(token.replacing("_", with: "-")) == .notAToken)
    #expect(TokenFormat.defect(String(token.dropLast()) + "!") == .character)
    #expect(TokenFormat.defect(String(token.dropLast(2)) + "é") == .character)
    let all: [TokenFormat.Defect] = [
      .empty, .notAToken, .length(-1), .length(2), .character, .checksum,
    ]
    for defect in all { #expect(!defect.description.contains("_\(token.suffix(49))")) }
  }
}
