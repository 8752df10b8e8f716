import RoostAPI
import RoostStore
import TTRPC
import Testing

@testable import RoostServer

@Suite struct KVStatusTests {
  @Test(
    "Each failure of the store has the code that the API documents",
    arguments: [
      (StoreError.notFound, StatusCode.notFound), (.alreadyExists, .alreadyExists),
      (.revisionMismatch(current: 7), .aborted), (.valueMismatch(current: 7), .aborted),
      (.wrongType(found: .text, needed: .list), .failedPrecondition),
      (.counterOverflow, .outOfRange), (.durabilityUnavailable(.synced), .failedPrecondition),
      (.replyTooLarge(bytes: 9, limit: 8), .resourceExhausted),
      (.valueTooLarge(bytes: 9, items: nil, limit: 8), .resourceExhausted),
      (.valueTooLarge(bytes: 9, items: 3, limit: 8), .resourceExhausted),
      (.listTooLong(items: 9, limit: 8), .resourceExhausted),
      (.listTooLarge(bytes: 9, limit: 8), .resourceExhausted),
      (.rangeTooLarge(keys: 9, limit: 8), .resourceExhausted),
      (.invalidPattern("missing )"), .invalidArgument), (.memoryExhausted, .resourceExhausted),
      (.idempotencyKeyReused, .invalidArgument),
      (.unavailable("starting"), .unavailable), (.dataLoss("segment 3"), .dataLoss),
    ])
  func codes(error: StoreError, code: StatusCode) {
    #expect(error.status.code == code)
    #expect(error.status.message.count > 10)
    let step = StoreError.stepFailed(index: 5, error).status
    #expect(step.code == code && step.message.contains("step 5"))
    #expect(step.message.contains(error.status.message))
  }

  @Test("A mismatch names the current revision, a limit its figures")
  func figures() {
    #expect(StoreError.revisionMismatch(current: 1234).status.message.contains("1234"))
    #expect(StoreError.valueMismatch(current: 1234).status.message.contains("1234"))
    let tooLong = RequestError.keyTooLong(bytes: 5000, limit: 4096)
    #expect(tooLong.message.contains("5000") && tooLong.message.contains("4096"))
  }

  @Test(
    "Refusals that are not the argument's fault have codes of their own",
    arguments: [
      (RequestError.decodingTooLarge(limit: 1), StatusCode.resourceExhausted),
      (.idempotencyKeyTooLong(bytes: 65, limit: 64), .invalidArgument),
      (.permissionDenied(.read), .permissionDenied),
      (.tooManyLongCalls(limit: 1), .unavailable),
      (.requestTooLong(bytes: 2, limit: 1), .resourceExhausted), (.emptyKey, .invalidArgument),
    ])
  func refusals(error: RequestError, code: StatusCode) {
    #expect(error.code == code)
    let nested = RequestError.element(field: "keys", index: 3, error)
    #expect(nested.code == code && nested.message == "keys[3]: \(error.message)")
  }
}

@Suite struct KVLongCallTests {
  @Test("A request that is long because of what nobody knows is not kept for later")
  func requestBytes() async throws {
    try await TestServer.with { server in
      let wire = try server.connect()
      let scan = try ScanRequest(pageSize: 1_000).encoded()
      func padded(_ bytes: Int) -> WireConnection.Call {
        let padding = Wire.field(99, [UInt8](repeating: 0, count: bytes - scan.count - 5))
        return .init(method: KV.Methods.scan.descriptor, request: scan + padding)
      }
      let answers = try await wire.exchange([
        padded(LongCalls.maxRequestBytes), padded(LongCalls.maxRequestBytes + 1),
        padded(4_000_000), padded(1_000),
      ])
      #expect(answers.map(\.code) == [.ok, .resourceExhausted, .resourceExhausted, .ok])
    }
  }
}
