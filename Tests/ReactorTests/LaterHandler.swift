import Glibc
import Synchronization
import TTRPC
import TTRPCTestSupport

/// Keeps responses until the test answers them, from whichever thread.
final class LaterHandler: InlineHandler {
  static let method = MethodDescriptor(service: "test.Echo", name: "Later")

  let shelf: Shelf
  init(_ shelf: Shelf) { self.shelf = shelf }
  func prepare(_ call: inout InlineCall) {}
  func execute(_ call: inout InlineCall, _ response: inout ResponseWriter) {
    let (deferred, payload) = (response.deferred(), [UInt8](call.payload))
    shelf.responses.withLock { $0.append((deferred, payload)) }
  }
}

/// Where a `LaterHandler` keeps them.
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
}
