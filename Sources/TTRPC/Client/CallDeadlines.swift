/// Deadlines by key, the earliest first: a binary heap that finds each key in it, so that a call
/// that ends takes its deadline along. Insertion in rising order costs O(1), the rest O(log n).
///
/// 1. `entries[i].deadline >= entries[(i - 1) / 2].deadline` for each i > 0.
/// 2. `positions[entries[i].key] == i`, and every other position is `absent`.
struct CallDeadlines {
  private struct Entry {
    var deadline: UInt64
    var key: Int
  }

  private static let absent = -1
  private var entries: [Entry] = []
  private var positions: [Int] = []

  /// The earliest deadline.
  var earliest: UInt64? { entries.first?.deadline }

  /// - Parameter key: not negative, small, and not present.
  mutating func insert(_ deadline: UInt64, key: Int) {
    while positions.count <= key { positions.append(Self.absent) }
    precondition(positions[key] == Self.absent)
    entries.append(Entry(deadline: deadline, key: key))
    positions[key] = entries.count - 1
    moveUp(from: entries.count - 1)
  }

  /// Does nothing where the key is absent.
  mutating func remove(key: Int) {
    guard key < positions.count, positions[key] != Self.absent else { return }
    let position = positions[key]
    positions[key] = Self.absent
    let last = entries.removeLast()
    guard position < entries.count else { return }
    place(last, at: position)
    moveUp(from: position)
    moveDown(from: positions[last.key])
  }

  /// Removes the earliest, where it is not after `now`.
  mutating func popExpired(_ now: UInt64) -> Int? {
    guard let first = entries.first, first.deadline <= now else { return nil }
    remove(key: first.key)
    return first.key
  }

  private mutating func place(_ entry: Entry, at position: Int) {
    entries[position] = entry
    positions[entry.key] = position
  }

  private mutating func moveUp(from start: Int) {
    let entry = entries[start]
    var position = start
    while position > 0 {
      let parent = (position - 1) / 2
      guard entry.deadline < entries[parent].deadline else { break }
      place(entries[parent], at: position)
      position = parent
    }
    place(entry, at: position)
  }

  private mutating func moveDown(from start: Int) {
    let entry = entries[start]
    var position = start
    while true {
      var child = 2 * position + 1
      guard child < entries.count else { break }
      if child + 1 < entries.count, entries[child + 1].deadline < entries[child].deadline {
        child += 1
      }
      guard entries[child].deadline < entry.deadline else { break }
      place(entries[child], at: position)
      position = child
    }
    place(entry, at: position)
  }
}
