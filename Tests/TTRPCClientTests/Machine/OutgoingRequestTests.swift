import Testing

@testable import TTRPC

@Suite("Requests on their way out") struct OutgoingRequestTests {
  private let method = MethodDescriptor(service: "a.b.C", name: "Do")

  private func sent(_ request: OutgoingRequest, timeout: Int64?) -> Wire.Request? {
    var bytes: [UInt8] = []
    request.write(streamID: 77, timeoutNanos: timeout, into: &bytes)
    let requests = Wire.takeRequests(&bytes)
    return bytes.isEmpty ? requests.first : nil
  }

  @Test("The frame holds what was given", arguments: [nil, 1, 127, 128, 1 << 40, Int64.max])
  func frame(timeout: Int64?) throws {
    let payload = (0..<300).map { UInt8(truncatingIfNeeded: $0) }
    let request = try OutgoingRequest(
      method: method, payload: payload, metadata: ["k": "v", "empty": "", "k": "ü\0"])
    let read = try #require(sent(request, timeout: timeout))
    #expect(read.streamID == 77 && read.service == "a.b.C" && read.method == "Do")
    #expect(read.payload == payload && read.timeoutNanos == timeout ?? 0)
    #expect(read.metadata.map(\.key) == ["k", "empty", "k"])
    #expect(read.metadata.map(\.value) == ["v", "", "ü\0"])
  }

  @Test("An empty message is left out, and arrives empty")
  func empty() throws {
    let request = try OutgoingRequest(method: method, payload: [], metadata: [:])
    #expect(try #require(sent(request, timeout: nil)).payload == [])
  }

  @Test("The largest request fits a frame with any timeout; a byte more is refused here")
  func largest() throws {
    let envelope = 7 + 4 + 5 + 11
    let largest = FrameHeader.maxDataBytes - envelope
    let request = try OutgoingRequest(
      method: method, payload: [UInt8](repeating: 1, count: largest), metadata: [:])
    #expect(sent(request, timeout: .max)?.payload.count == largest)
    let error = #expect(throws: RPCError.self) {
      try OutgoingRequest(
        method: method, payload: [UInt8](repeating: 1, count: largest + 1), metadata: [:])
    }
    #expect(error?.code == .resourceExhausted)
  }
}
