import TTRPCTestSupport
import Testing

@testable import TTRPC

@Suite("Server interceptors")
struct ServerInterceptorTests {
  private final class Gate: ServerInterceptor {
    let wantsCompletions = true
    var decide: (inout InlineCall) -> Decision = { _ in .proceed }
    private(set) var intercepted: [String] = []
    private(set) var completions: [String] = []

    func intercept(_ call: inout InlineCall) -> Decision {
      intercepted.append(call.method.name)
      return decide(&call)
    }

    func completed(_ call: borrowing CompletedCall) {
      completions.append("\(call.method.name) \(call.code) \(call.responseBytes > 0)")
    }
  }

  private final class Identity {
    let name: String
    init(_ name: String) { self.name = name }
  }

  @Test("The first that refuses decides; later ones and the handler do not run")
  func refuses() {
    let (outer, inner) = (Gate(), Gate())
    outer.decide = { call in
      call.payload.isEmpty ? .refuse(RPCError(.unauthenticated, "no token")) : .proceed
    }
    let harness = TickHarness {
      $0.add(interceptor: outer)
      $0.add(interceptor: inner)
    }
    let peer = harness.connect()
    let answers = harness.exchange(
      peer, Wire.request(stream: 1) + Wire.request(stream: 3, payload: [1]))
    #expect(answers.map(\.code) == [.unauthenticated, .ok])
    #expect(outer.intercepted.count == 2)
    #expect(inner.intercepted.count == 1)
    #expect(harness.echo.executedCount == 1)
    #expect(outer.completions == ["Echo unauthenticated true", "Echo ok true"])
  }

  @Test("They come before a handler's own refusal: nobody learns from it without permission")
  func refusesBeforeHandler() {
    let gate = Gate()
    gate.decide = { _ in .refuse(RPCError(.unauthenticated, "no token")) }
    let handler = ClosureHandler { _, response in response.fail(.internal, "executed") }
    handler.onPrepare = { $0.refuse(.invalidArgument, "bad request") }
    let harness = TickHarness {
      $0.add(interceptor: gate)
      $0.register(inline: handler, for: .other)
    }
    let peer = harness.connect()
    let request = Wire.request(method: "Other")
    #expect(harness.exchange(peer, request).map(\.code) == [.unauthenticated])
    gate.decide = { _ in .proceed }
    #expect(harness.exchange(peer, request).map(\.message) == ["bad request"])
  }

  @Test("An identity that a call sets on its connection holds for the next call of the same tick")
  func bindsInTick() {
    let gate = Gate()
    gate.decide = { call in
      guard let identity = call.connection.attachment else { return .proceed }
      call.attachment = .passUnretained(identity)
      return .proceed
    }
    let harness = TickHarness {
      $0.add(interceptor: gate)
      $0.register(
        inline: ClosureHandler { call, response in
          if let identity = call.attachment?.takeUnretainedValue() as? Identity {
            Array(identity.name.utf8).withUnsafeBytes { response.respond($0) }
          } else {
            call.connection.attachment = Identity("root")
            response.respond(UnsafeRawBufferPointer(start: nil, count: 0))
          }
        }, for: .other)
    }
    let answers = harness.exchange(
      harness.connect(),
      Wire.request(stream: 1, method: "Other") + Wire.request(stream: 3, method: "Other"))
    #expect(answers.map(\.payload) == [[], Array("root".utf8)])
  }

  @Test("The completion hook sees every call once: unknown, refused, inline and deferred")
  func completions() {
    final class Kept { var responses: [DeferredResponse] = [] }
    let (gate, kept) = (Gate(), Kept())
    let harness = TickHarness {
      $0.add(interceptor: gate)
      $0.register(
        inline: ClosureHandler { _, response in kept.responses.append(response.deferred()) },
        for: .other)
    }
    let peer = harness.connect()
    harness.run([
      (
        peer,
        Wire.request(stream: 1, method: "Nothing") + Wire.request(stream: 3)
          + Wire.request(stream: 5, timeoutNanos: -1)
          + Wire.request(stream: 7, method: "Other")
      )
    ])
    #expect(gate.intercepted == ["Echo", "Other"])
    let early = [" unimplemented true", "Echo ok true", "Echo deadlineExceeded true"]
    #expect(gate.completions == early)
    kept.responses[0].fail(.aborted, "later")
    harness.run()
    #expect(gate.completions == early + ["Other aborted true"])
    harness.run([(peer, Wire.request(stream: 9, method: "Other"))])
    peer.disconnect()
    #expect(gate.completions == early + ["Other aborted true", "Other cancelled false"])
  }
}
