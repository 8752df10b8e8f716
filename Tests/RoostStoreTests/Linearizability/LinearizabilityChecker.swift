/// What objects do when one call comes after the other.
protocol SequentialModel {
  associatedtype State: Hashable
  associatedtype Operation

  /// The state after `operation`, whose outcome is part of it; `nil` where that outcome is not
  /// possible in `state`.
  func step(_ state: State, _ operation: Operation) -> State?
}

/// An operation that began and ended at these times, both within its caller's view.
struct TimedOperation<Operation> {
  var operation: Operation
  var start: UInt64
  var end: UInt64
}

extension TimedOperation: Sendable where Operation: Sendable {}

enum LinearizabilityVerdict: Equatable {
  /// An order that explains every outcome: indices into the history.
  case linearizable(order: [Int])
  /// There is none. The longest order that explains a part of the history, and the operation
  /// after which the search could never go on.
  case violation(longestOrder: [Int], stuckBefore: Int)

  var isLinearizable: Bool {
    if case .linearizable = self { true } else { false }
  }
}

/// Says whether a concurrent history could have come from operations that happened at one instant
/// each, between their start and their end.
///
/// The algorithm is Wing and Gong's search (1993) with Lowe's memoization of what was taken in
/// which state ("Testing for linearizability", 2017), over a linked list of starts and ends from
/// which taken operations are lifted out, as in Porcupine.
struct LinearizabilityChecker<Model: SequentialModel> {
  let model: Model

  func check(
    _ history: [TimedOperation<Model.Operation>], from initial: Model.State
  ) -> LinearizabilityVerdict {
    var list = EventList(history.map { ($0.start, $0.end) })
    var taken = OperationSet(capacity: history.count)
    var seen: Set<Configuration<Model.State>> = []
    var path: [(operation: Int, state: Model.State)] = []
    var state = initial
    var longest: [Int] = []
    var stuckBefore = 0

    var event = list.first
    while let current = event {
      let operation = list.operation(current)
      if list.isStart(current) {
        if let next = model.step(state, history[operation].operation) {
          let configuration = Configuration(taken: taken.inserting(operation), state: next)
          if seen.insert(configuration).inserted {
            path.append((operation, state))
            state = next
            taken = configuration.taken
            list.lift(operation)
            event = list.first
            continue
          }
        }
        event = list.next(current)
      } else {
        // This operation has ended, so it must be among those taken; it was not possible in this
        // order. The last choice goes back.
        if path.count >= longest.count {
          longest = path.map(\.operation)
          stuckBefore = operation
        }
        guard let last = path.popLast() else {
          return .violation(longestOrder: longest, stuckBefore: stuckBefore)
        }
        state = last.state
        taken.remove(last.operation)
        list.unlift(last.operation)
        event = list.next(list.start(last.operation))
      }
    }
    return .linearizable(order: path.map(\.operation))
  }
}

private struct Configuration<State: Hashable>: Hashable {
  var taken: OperationSet
  var state: State
}

/// A set of small numbers.
private struct OperationSet: Hashable {
  private var words: [UInt64]

  init(capacity: Int) { words = [UInt64](repeating: 0, count: (capacity + 63) / 64) }

  func inserting(_ member: Int) -> OperationSet {
    var copy = self
    copy.words[member / 64] |= 1 << UInt64(member % 64)
    return copy
  }

  mutating func remove(_ member: Int) { words[member / 64] &= ~(1 << UInt64(member % 64)) }
}

/// The starts and ends of a history in the order of time, as a doubly linked list.
///
/// 1. Operation i's start is event 2i, its end 2i + 1; `head` stands before the first.
/// 2. A lifted operation keeps its own links, so that it can go back where it was, in the
///    reverse of the order in which operations were lifted.
private struct EventList {
  private let head: Int
  private var nextEvent: [Int]
  private var previousEvent: [Int]

  init(_ times: [(start: UInt64, end: UInt64)]) {
    head = times.count * 2
    nextEvent = [Int](repeating: -1, count: head + 1)
    previousEvent = nextEvent
    // At equal times starts come first: such operations may have overlapped.
    let order = (0..<head).sorted { left, right in
      let leftTime = left % 2 == 0 ? times[left / 2].start : times[left / 2].end
      let rightTime = right % 2 == 0 ? times[right / 2].start : times[right / 2].end
      return (leftTime, left % 2, left) < (rightTime, right % 2, right)
    }
    var last = head
    for event in order {
      nextEvent[last] = event
      previousEvent[event] = last
      last = event
    }
  }

  var first: Int? { next(head) }
  func next(_ event: Int) -> Int? { nextEvent[event] == -1 ? nil : nextEvent[event] }
  func operation(_ event: Int) -> Int { event / 2 }
  func start(_ operation: Int) -> Int { operation * 2 }
  func isStart(_ event: Int) -> Bool { event % 2 == 0 }

  mutating func lift(_ operation: Int) {
    unlink(operation * 2)
    unlink(operation * 2 + 1)
  }

  mutating func unlift(_ operation: Int) {
    relink(operation * 2 + 1)
    relink(operation * 2)
  }

  private mutating func unlink(_ event: Int) {
    nextEvent[previousEvent[event]] = nextEvent[event]
    if nextEvent[event] != -1 { previousEvent[nextEvent[event]] = previousEvent[event] }
  }

  private mutating func relink(_ event: Int) {
    nextEvent[previousEvent[event]] = event
    if nextEvent[event] != -1 { previousEvent[nextEvent[event]] = event }
  }
}
