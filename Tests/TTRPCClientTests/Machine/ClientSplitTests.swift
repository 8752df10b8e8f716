import Testing

@testable import TTRPC

@Suite("Bytes from a server, however they are split") struct ClientSplitTests {
  private static func stream(calls: Int) -> [UInt8] {
    var random = SeededRandom(seed: 1)
    return (0..<calls).flatMap { index -> [UInt8] in
      let streamID = UInt32(index * 2 + 1)
      switch index % 4 {
      case 0: return Wire.response([], streamID: streamID)
      case 1: return Wire.response([UInt8](repeating: 5, count: index * 37), streamID: streamID)
      case 2: return Wire.status(5, "no \(index)", streamID: streamID)
      default:
        let bytes = (0..<Int.random(in: 0...40, using: &random)).map { UInt8($0) }
        return Wire.response(bytes, streamID: streamID)
      }
    }
  }

  private static func describe(_ answers: [ClientAnswer]) -> [String] {
    answers.map { "\($0.call.index) \($0.payload?.count ?? -1) \($0.error?.message ?? "")" }
  }

  @Test("A byte at a time gives the answers that one read gives")
  func byteAtATime() throws {
    let bytes = Self.stream(calls: 24)
    let whole = MachineUnderTest()
    let split = MachineUnderTest()
    for index in 0..<24 {
      try whole.send(index)
      try split.send(index)
    }
    #expect(whole.receive(bytes) == nil)
    for byte in bytes { #expect(split.receive([byte]) == nil) }
    #expect(Self.describe(split.answers) == Self.describe(whole.answers))
    #expect(split.answers.count == 24 && !split.isInsideFrame)
  }

  @Test("Random splits give the same answers", arguments: 0..<50 as Range<UInt64>)
  func randomSplits(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let bytes = Self.stream(calls: 60)
    let whole = MachineUnderTest()
    let split = MachineUnderTest()
    for index in 0..<60 {
      try whole.send(index)
      try split.send(index)
    }
    _ = whole.receive(bytes)
    var start = 0
    while start < bytes.count {
      let end = min(start + Int.random(in: 1...300, using: &random), bytes.count)
      #expect(split.receive(Array(bytes[start..<end])) == nil)
      start = end
    }
    #expect(Self.describe(split.answers) == Self.describe(whole.answers), "seed \(seed)")
  }

  @Test("Cut anywhere, the calls before the cut have their answers and the rest have none")
  func cutAnywhere() throws {
    let bytes = Self.stream(calls: 8)
    for cut in 0...bytes.count {
      let test = MachineUnderTest()
      for index in 0..<8 { try test.send(index) }
      #expect(test.receive(Array(bytes[..<cut])) == nil)
      let unanswered = test.close().map { Int($0.index) }
      #expect(Set(test.answered + unanswered) == Set(0..<8))
      #expect(test.answers.count + unanswered.count == 8)
    }
  }

  @Test(
    "Random bytes end in a clean failure or an unfinished frame",
    arguments: 0..<300 as Range<UInt64>)
  func garbage(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let test = MachineUnderTest()
    for index in 0..<8 { try test.send(index) }
    var failed = false
    for _ in 0..<40 where !failed {
      // Half of the frames have a header that is nearly right.
      let data = (0..<Int.random(in: 0...60, using: &random)).map { _ in
        UInt8.random(in: 0...255, using: &random)
      }
      let isFrame = Bool.random(using: &random)
      let streamID = UInt32.random(in: 0...20, using: &random)
      failed = test.receive(isFrame ? Wire.frame(data, streamID: streamID) : data) != nil
    }
    #expect(test.answers.count + test.close().count == 8, "seed \(seed)")
  }

  @Test(
    "A valid stream with one damaged byte never crashes, and answers no call twice",
    arguments: 0..<300 as Range<UInt64>)
  func damage(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    var bytes = Self.stream(calls: 16)
    bytes[Int.random(in: 0..<bytes.count, using: &random)] ^=
      1 << UInt8.random(in: 0...7, using: &random)
    let test = MachineUnderTest()
    for index in 0..<16 { try test.send(index) }
    _ = test.receive(bytes)
    #expect(Set(test.answered).count == test.answers.count)
    #expect(test.answers.count + test.close().count == 16, "seed \(seed)")
  }
}
