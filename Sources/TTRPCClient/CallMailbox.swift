import NIOConcurrencyHelpers
import TTRPC

/// What callers, on any thread, have for the event loop. A burst of calls costs one wake-up.
final class CallMailbox: Sendable {
  enum Item: Sendable {
    case submit(CallTicket, OutgoingRequest, deadlineNanos: UInt64?)
    case cancel(CallTicket)
  }

  private struct State {
    var items: [Item] = []
    var isScheduled = false
  }

  private let state = NIOLockedValueBox(State())

  /// - Returns: whether the loop has to be woken.
  func put(_ item: Item) -> Bool {
    state.withLockedValue { state in
      state.items.append(item)
      defer { state.isScheduled = true }
      return !state.isScheduled
    }
  }

  /// Takes everything; `items` comes back as the next array to fill, so that none is allocated.
  func take(into items: inout [Item]) {
    items.removeAll(keepingCapacity: items.capacity < 4096)
    state.withLockedValue { state in
      swap(&state.items, &items)
      state.isScheduled = false
    }
  }
}
