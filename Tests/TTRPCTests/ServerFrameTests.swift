import TTRPCTestSupport
import Testing

@testable import TTRPC

@Suite("Frames that a server receives")
struct ServerFrameTests {
  private let harness = TickHarness()
  private var peer: TestPeer { harness.peers.first ?? harness.connect() }
  private let valid = Wire.request(stream: 101, payload: [1, 2, 3])
  private let answer = WireAnswer(stream: 101, payload: [1, 2, 3])

  @Test("A frame without data names no service: UNIMPLEMENTED")
  func emptyFrame() {
    let answers = harness.exchange(peer, Wire.frame([]))
    #expect(answers.map(\.code) == [.unimplemented])
    #expect(harness.exchange(peer, valid) == [answer])
  }

  @Test("A frame of 4 MiB is a call like any other, and so is its answer of the same size")
  func largestFrame() {
    let overhead = Wire.envelope(payload: [0]).count + 3 - 1
    let payload = [UInt8](repeating: 7, count: FrameHeader.maxDataBytes - overhead)
    let request = Wire.request(payload: payload)
    #expect(request.count == FrameHeader.byteCount + FrameHeader.maxDataBytes)
    #expect(harness.exchange(peer, request) == [WireAnswer(payload: payload)])
  }

  @Test(
    "A frame from 4 MiB + 1 to 16 MiB - 1 fails alone, and its bytes are skipped",
    arguments: [(4 << 20) + 1, (16 << 20) - 1], [1 << 16, 1 << 22])
  func skippedFrame(dataBytes: Int, chunkBytes: Int) {
    let data = [UInt8](repeating: 0xff, count: dataBytes)
    let bytes = Wire.frame(data, stream: 3) + valid
    var answers: [WireAnswer] = []
    for start in stride(from: 0, to: bytes.count, by: chunkBytes) {
      answers += harness.exchange(peer, Array(bytes[start..<min(start + chunkBytes, bytes.count)]))
    }
    #expect(answers.map(\.code) == [.resourceExhausted, .ok])
    #expect(answers.map(\.stream) == [3, 101])
    #expect(peer.closeReason == nil)
  }

  @Test(
    "A frame of 16 MiB or more ends the connection, after the calls before it",
    arguments: [16 << 20, UInt32.max])
  func hopelessFrame(claimedBytes: UInt32) {
    let bytes = valid + Wire.frame([1], stream: 3, claimedBytes: claimedBytes)
    #expect(harness.exchange(peer, bytes) == [answer])
    #expect(peer.closeReason == .notTTRPC)
    #expect(harness.exchange(peer, Wire.request(stream: 5)) == [])
  }

  @Test("One byte is enough to see that a connection is not ttrpc")
  func hopelessByte() {
    #expect(harness.exchange(peer, [0x47]) == [])
    #expect(peer.closeReason == .notTTRPC)
  }

  @Test(
    "Other protocols are closed at once", arguments: ["GET / HTTP/1.1\r\n", "*1\r\n$4\r\nPING"])
  func otherProtocols(text: String) {
    #expect(harness.exchange(peer, Array(text.utf8)) == [])
    #expect(peer.closeReason == .notTTRPC)
  }

  @Test("An even stream ID is INVALID_ARGUMENT on its stream", arguments: [UInt32(0), 2, 1 << 31])
  func evenStream(stream: UInt32) {
    let answers = harness.exchange(peer, Wire.request(stream: stream) + valid)
    #expect(answers.map(\.code) == [.invalidArgument, .ok])
    #expect(answers.first?.stream == stream)
  }

  @Test("An unknown type is INVALID_ARGUMENT", arguments: [UInt8(0), 2, 4, 255])
  func unknownType(type: UInt8) {
    let data = Wire.envelope()
    let answers = harness.exchange(peer, Wire.frame(data, type: type) + valid)
    #expect(answers.map(\.code) == [.invalidArgument, .ok])
  }

  @Test("Flags on a unary request are INVALID_ARGUMENT", arguments: [UInt8(1), 2, 4, 8, 255])
  func unknownFlags(flags: UInt8) {
    let answers = harness.exchange(peer, Wire.frame(Wire.envelope(), flags: flags) + valid)
    #expect(answers.map(\.code) == [.invalidArgument, .ok])
    #expect(harness.echo.executedCount == 1)
  }

  @Test("Data without a call is INVALID_ARGUMENT")
  func strayData() {
    let answers = harness.exchange(peer, Wire.frame([1], stream: 9, type: 3, flags: 1) + valid)
    #expect(answers.map(\.code) == [.invalidArgument, .ok])
    #expect(answers.map(\.stream) == [9, 101])
  }

  @Test("Frames are found wherever their bytes are cut")
  func cutAnywhere() {
    let bytes = Wire.request(stream: 1, payload: [9]) + Wire.frame([], stream: 2) + valid
    let whole = harness.exchange(peer, bytes)
    #expect(whole.count == 3)
    for cut in 1..<bytes.count {
      let other = harness.connect()
      let answers =
        harness.exchange(other, Array(bytes[..<cut]))
        + harness.exchange(other, Array(bytes[cut...]))
      #expect(answers == whole, "cut at \(cut)")
    }
  }

  @Test("A byte at a time is as good as all at once")
  func byteAtATime() {
    var answers: [WireAnswer] = []
    for byte in Wire.request(stream: 1, payload: [9]) + valid {
      answers += harness.exchange(peer, [byte])
    }
    #expect(answers == [WireAnswer(payload: [9]), answer])
  }

  @Test("A claimed length costs no memory before the bytes come")
  func claimedLengthCostsNothing() {
    var input = PendingInput()
    let header = Wire.frame([1, 2, 3], claimedBytes: 4 << 20)
    header.withUnsafeBytes { input.append($0) }
    #expect(input.missingBytes == (4 << 20) - 3)
    #expect(input.capacity <= 4 * header.count + 64)
  }

  @Test("Garbage is answered or closed, and never harms another connection", arguments: 1...40)
  func garbage(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let other = harness.connect()
    for _ in 0..<20 {
      let broken = harness.connect()
      var bytes = random.bytes(Int.random(in: 1...600, using: &random))
      // Half of them begin like a frame.
      if Bool.random(using: &random) { bytes.replaceSubrange(0..<0, with: [0, 0, 0]) }
      harness.run([(broken, bytes), (other, valid)])
      #expect(other.answers() == [answer], "seed \(seed)")
      harness.run([(broken, random.bytes(300))])
    }
  }
}
