import Testing

@testable import TTRPC

@Suite("The connection machine of the client") struct ClientConnectionMachineTests {
  @Test("Stream IDs are odd and rise by two; answers in any order find their calls")
  func streamIDs() throws {
    let test = MachineUnderTest()
    #expect(try test.send(10) == 1)
    #expect(try test.send(11) == 3)
    #expect(try test.send(12) == 5)
    let bytes =
      Wire.response([3], streamID: 5) + Wire.response([1], streamID: 1)
      + Wire.response([2], streamID: 3)
    #expect(test.receive(bytes) == nil)
    #expect(test.answered == [12, 10, 11])
    #expect(test.answers.map(\.payload) == [[3], [1], [2]])
    #expect(test.callCount == 0)
  }

  @Test("A status becomes the call's error, with code, message and details")
  func status() throws {
    let test = MachineUnderTest()
    try test.send(0)
    let bytes = Wire.status(
      10, "revision 7", streamID: 1, details: [("type.googleapis.com/x", [1, 0, 2])])
    #expect(test.receive(bytes) == nil)
    let error = try #require(test.answers.first?.error)
    #expect(error.code == .aborted && error.message == "revision 7")
    #expect(error.details == [StatusDetail(typeURL: "type.googleapis.com/x", value: [1, 0, 2])])
    #expect(!error.isOutcomeUnknown)
  }

  @Test("A status code without a name is unknown; a status OK is an answer; no payload is empty")
  func oddStatus() throws {
    let test = MachineUnderTest()
    for index in 0..<3 { try test.send(index) }
    let bytes =
      Wire.status(99, "x", streamID: 1) + Wire.status(0, "", streamID: 3)
      + Wire.frame([], streamID: 5)
    #expect(test.receive(bytes) == nil)
    #expect(test.answers[0].error?.code == .unknown)
    #expect(test.answers[1].payload == [])
    #expect(test.answers[2].payload == [])
  }

  @Test("An answer that is no envelope fails its call alone")
  func malformedEnvelope() throws {
    let test = MachineUnderTest()
    try test.send(0)
    try test.send(1)
    let bytes =
      Wire.frame([0x12, 0xff], streamID: 1) + Wire.response([9], streamID: 3)
    #expect(test.receive(bytes) == nil)
    #expect(test.answers[0].error?.code == .internal)
    #expect(test.answers[1].payload == [9])
  }

  @Test("An answer over 4 MiB fails its call alone, and its bytes are skipped, however split")
  func oversizedAnswer() throws {
    let test = MachineUnderTest()
    try test.send(0)
    try test.send(1)
    let length = FrameHeader.maxDataBytes + 1
    let large = Wire.frame([UInt8](repeating: 0xff, count: length), streamID: 1)
    #expect(test.receive(Array(large[..<7])) == nil)
    #expect(test.receive(Array(large[7..<100])) == nil)
    #expect(test.answers.first?.error?.code == .resourceExhausted)
    #expect(test.isInsideFrame)
    #expect(test.receive(Array(large[100...]) + Wire.response([1], streamID: 3)) == nil)
    #expect(test.answers.last?.payload == [1])
    #expect(!test.isInsideFrame)
  }

  @Test("An answer of exactly 4 MiB arrives")
  func largestAnswer() throws {
    let test = MachineUnderTest()
    try test.send(0)
    // Tag and length of the payload take five bytes.
    let payload = [UInt8](repeating: 7, count: FrameHeader.maxDataBytes - 5)
    let bytes = Wire.response(payload, streamID: 1)
    #expect(bytes.count == 10 + FrameHeader.maxDataBytes)
    for start in stride(from: 0, to: bytes.count, by: 65_536) {
      #expect(test.receive(Array(bytes[start..<min(start + 65_536, bytes.count)])) == nil)
    }
    #expect(test.answers.first?.payload == payload)
  }

  @Test(
    "A frame that no server may send fails the connection",
    arguments: [
      ("the length of 16 MiB", Wire.frame([], streamID: 1, length: 16 << 20)),
      ("the greatest length", Wire.frame([], streamID: 1, length: 0xffff_ffff)),
      ("a stream that was never opened", Wire.response([], streamID: 3)),
      ("an even stream", Wire.response([], streamID: 2)),
      ("stream 0", Wire.response([], streamID: 0)),
      ("the highest stream", Wire.response([], streamID: .max)),
      ("a second answer", Wire.response([], streamID: 1) + Wire.response([], streamID: 1)),
      ("data for a unary call", Wire.frame([], streamID: 1, type: 3)),
      ("a request", Wire.frame([], streamID: 1, type: 1)),
      ("an unknown type", Wire.frame([], streamID: 1, type: 77)),
      ("text", Array("HTTP/1.1 400 Bad Request\r\n".utf8)),
    ])
  func badFrames(name: String, bytes: [UInt8]) throws {
    let test = MachineUnderTest()
    try test.send(0)
    let error = try #require(test.receive(bytes), "\(name)")
    #expect(error.code == .unavailable)
    #expect(!test.canSend)
    // It stays failed, whatever follows.
    let count = test.answers.count
    #expect(test.receive(Wire.response([], streamID: 1)) == error)
    #expect(test.answers.count == count)
  }

  @Test("A late answer to an abandoned call is dropped; until then its ID stays taken")
  func abandoned() throws {
    let test = MachineUnderTest(limits: .init(maxCallsInFlight: 4))
    let stream = try test.send(0)
    try test.send(1)
    test.abandon(stream)
    test.abandon(stream)
    #expect(test.callCount == 1)
    #expect(try test.send(2) == 5)
    #expect(try test.send(3) == 7)
    #expect(!test.canSend)
    #expect(test.receive(Wire.response([1], streamID: stream)) == nil)
    #expect(test.answered.isEmpty)
    #expect(test.canSend)
    #expect(test.receive(Wire.response([1], streamID: stream)) != nil)
  }

  @Test("A connection is used up when its IDs are, or when too many answers do not come")
  func usedUp() throws {
    let test = MachineUnderTest(limits: .init(maxCallsInFlight: 8, maxCalls: 3))
    for index in 0..<3 {
      #expect(!test.isUsedUp)
      try test.send(index)
    }
    #expect(test.isUsedUp && !test.canSend)

    let clogged = MachineUnderTest(limits: .init(maxCallsInFlight: 4))
    for index in 0..<3 { clogged.abandon(try clogged.send(index)) }
    #expect(clogged.isUsedUp)
  }

  @Test("Closing gives the calls that somebody still waits for")
  func close() throws {
    let test = MachineUnderTest()
    for index in 0..<4 { try test.send(index) }
    test.abandon(3)
    #expect(test.receive(Wire.response([], streamID: 5)) == nil)
    #expect(Set(test.close().map(\.index)) == [0, 3])
    #expect(test.close().isEmpty)
    #expect(!test.canSend)
  }
}
