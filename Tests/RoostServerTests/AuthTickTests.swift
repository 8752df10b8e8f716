import ProtobufC
import RoostAPI
import TTRPC
import TTRPCTestSupport
import Testing

@testable import RoostServer

/// The calls of Auth in one tick with others, without sockets.
@Suite("Authentication calls and their neighbours in a tick")
struct AuthTickTests {
  private final class NoMailbox: AnswerMailbox {
    func post(_ answer: DeferredAnswer) {}
  }

  @Test("Auth calls are answered, whatever another connection's request took in the same tick")
  func budget() throws {
    let loop = ServerLoop(index: 0)
    var dispatcher = Dispatcher(loop: loop)
    AuthService.register(
      on: &dispatcher, loop: loop, tokens: nil, logger: LogRecorder().logger)
    let tick = ServerTick(dispatcher: dispatcher, loop: loop, mailbox: NoMailbox())
    let connections = (1...3).map { id in
      let machine = UnsafeMutablePointer<ServerConnection>.allocate(capacity: 1)
      machine.initialize(
        to: tick.makeConnection(ServerConnectionContext(id: UInt64(id), peer: .local)))
      tick.attach(machine)
      return machine
    }
    let bomb = [UInt8](repeating: 0x78, count: (4 << 20) - 64)  // field 15: 120, again and again
    let requests = [
      request(Auth.Methods.whoAmI.descriptor), request(Auth.Methods.bind.descriptor),
      request(Auth.Methods.whoAmI.descriptor, bomb),
    ]
    tick.begin(nowNanos: 1)
    for (machine, bytes) in zip(connections, requests) {
      bytes.withUnsafeBytes { _ = tick.receive($0, on: machine) }
    }
    tick.execute(nowNanos: 2)
    tick.commit()
    while tick.nextTouched() != nil {}
    let codes = connections.map { machine in
      var bytes = [UInt8](machine.pointee.unsent)
      return WireAnswer.take(from: &bytes)?.first?.code
    }
    tick.end()
    for machine in connections {
      tick.detach(machine)
      machine.deinitialize(count: 1)
      machine.deallocate()
    }
    #expect(codes == [.ok, .ok, .resourceExhausted])
  }

  private func request(_ method: MethodDescriptor, _ payload: [UInt8] = []) -> [UInt8] {
    TTRPCTestSupport.Wire.request(
      service: method.service, method: method.name, payload: payload)
  }
}
