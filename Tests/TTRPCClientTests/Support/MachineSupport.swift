@testable import TTRPC

func callID(_ index: Int) -> CallID { CallID(index: UInt32(index), generation: 0) }

func outgoing(_ payload: [UInt8] = [1], metadata: Metadata = [:]) throws -> OutgoingRequest {
  try OutgoingRequest(
    method: MethodDescriptor(service: "s", name: "M"), payload: payload, metadata: metadata)
}

/// One machine with what it has sent and answered.
final class MachineUnderTest {
  private var machine: ClientConnectionMachine
  private(set) var sent: [UInt8] = []
  private(set) var answers: [ClientAnswer] = []

  init(limits: ClientConnectionMachine.Limits = .init()) {
    machine = ClientConnectionMachine(limits: limits)
  }

  var callCount: Int { machine.callCount }
  var canSend: Bool { machine.canSend }
  var isUsedUp: Bool { machine.isUsedUp }
  var isInsideFrame: Bool { machine.isInsideFrame }

  @discardableResult
  func send(_ index: Int) throws -> UInt32 {
    machine.send(try outgoing(), call: callID(index), timeoutNanos: nil, into: &sent)
  }

  func receive(_ bytes: [UInt8]) -> RPCError? {
    bytes.withUnsafeBytes { machine.receive($0, answers: &answers) }
  }

  func abandon(_ streamID: UInt32) { machine.abandon(streamID) }
  func close() -> [CallID] { machine.close() }

  /// Which calls were answered, in order.
  var answered: [Int] { answers.map { Int($0.call.index) } }
}

extension ClientAnswer {
  var payload: [UInt8]? { try? result.get() }
  var error: RPCError? {
    guard case .failure(let error) = result else { return nil }
    return error
  }
}
