import Glibc
import Synchronization
import TTRPC
import TTRPCTestSupport

@testable import Reactor

/// Keeps responses until the test answers them, from whichever thread.
final class LaterHandler: InlineHandler {
  static let method = MethodDescriptor(service: "test.Echo", name: "Later")

  private let shelf: Shelf
  private let isExclusive: Bool

  init(_ shelf: Shelf, isExclusive: Bool = false) {
    self.shelf = shelf
    self.isExclusive = isExclusive
  }

  func prepare(_ call: inout InlineCall) {}
  func execute(_ call: inout InlineCall, _ response: inout ResponseWriter) {
    let payload = [UInt8](call.payload)
    let deferred = response.deferred(isExclusive: isExclusive)
    shelf.responses.withLock { $0.append((deferred, payload)) }
  }

  /// A call of `test.Echo/Later`.
  static func request(_ stream: UInt32, _ payload: [UInt8] = []) -> [UInt8] {
    Wire.request(stream: stream, method: "Later", payload: payload)
  }
}

/// What is to be answered, with the requests' bytes.
final class Shelf: Sendable {
  let responses = Mutex<[(DeferredResponse, [UInt8])]>([])

  /// Waits until there are so many, and takes them.
  func take(_ count: Int) -> [(DeferredResponse, [UInt8])] {
    while true {
      let taken: [(DeferredResponse, [UInt8])]? = responses.withLock { responses in
        guard responses.count >= count else { return nil }
        defer { responses = [] }
        return responses
      }
      if let taken { return taken }
      sched_yield()
    }
  }

  /// `test.Echo/Echo` and `test.Echo/Later`.
  func dispatcher(isExclusive: Bool = false) -> ReactorServer.MakeDispatcher {
    { loop in
      var dispatcher = TestServer.echo(loop)
      dispatcher.register(
        inline: LaterHandler(self, isExclusive: isExclusive), for: LaterHandler.method)
      return dispatcher
    }
  }
}
