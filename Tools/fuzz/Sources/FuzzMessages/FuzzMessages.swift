import ProtobufC
import RoostAPI
import TTRPC

/// Decodes the input as a message, the first byte choosing its type. What decodes must survive a
/// round trip through its encoding, and through JSON; nothing may take more than its budget.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzMessages(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard let start, count > 0 else { return 0 }
  let bytes = UnsafeRawBufferPointer(start: start + 1, count: count - 1)
  let choice = Int(start[0])
  checks[choice % checks.count](bytes)
  let codec = RoostAPIRegistry.all[choice % RoostAPIRegistry.all.count]
  if let json = try? codec.decodeToJSON([UInt8](bytes), pretty: choice & 1 == 0) {
    precondition(!json.isEmpty, "an answer without JSON")
  }
  _ = try? codec.encodeJSON(String(decoding: bytes, as: UTF8.self))
  return 0
}

private let checks: [@Sendable (UnsafeRawBufferPointer) -> Void] = [
  { check(Entry.self, $0) },
  { check(SetRequest.self, $0) },
  { check(TransactRequest.self, $0) },
  { check(TransactResponse.self, $0) },
  { check(ScanRequest.self, $0) },
  { check(ScanResponse.self, $0) },
  { check(BatchGetResponse.self, $0) },
  { check(PushRequest.self, $0) },
  { check(WhoAmIResponse.self, $0) },
  { check(CreateTokenRequest.self, $0) },
  { check(StatusResponse.self, $0) },
  { check(SlowLogResponse.self, $0) },
  { check(ReloadConfigResponse.self, $0) },
  { check(PollRequest.self, $0) },
  { check(WatchResponse.self, $0) },
]

private func check<M: Message>(_ type: M.Type, _ bytes: UnsafeRawBufferPointer) {
  let arena = Arena(blockBytes: 4096, retainedBytes: 0, budgetBytes: 1 << 20)
  arena.beginCall()
  guard let view = try? M.View.decode(bytes, in: arena) else {
    precondition(arena.usedBytes <= 1 << 20, "decoding took more than its budget")
    return
  }
  let message = M(view)
  guard let encoded = try? message.encoded() else { fatalError("\(type) does not encode") }
  guard let again = try? M(decoding: encoded) else {
    fatalError("\(type) does not decode its own encoding")
  }
  // A message with a NaN is not equal to itself.
  precondition(again == message || message != message, "\(type) changed on its way")
}
