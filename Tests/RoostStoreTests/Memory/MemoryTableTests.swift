import Synchronization
import Testing

@testable import RoostStore

/// A slot table with its records beside a dictionary.
private final class TableRun {
  let hasher: KeyHasher
  let directory = UnsafeMutablePointer<Atomic<UInt>>.allocate(capacity: 1)
  var table: SlotTable
  var records: [Int: Record] = [:]
  var heap = SlabHeap(pool: SlabPool())

  init(hasher: KeyHasher = KeyHasher()) {
    self.hasher = hasher
    directory.initialize(to: Atomic(0))
    table = SlotTable(hasher: hasher, directory: directory)
  }

  deinit {
    for record in records.values { record.release(&heap) }
    #expect(heap.bytes == 0)
    heap.release()
    table.release()
    directory.deinitialize(count: 1)
    directory.deallocate()
  }

  func withKey<Result>(
    _ number: Int, _ body: (UnsafeRawBufferPointer, UInt64) -> Result
  ) -> Result {
    let key = Array("key:\(number)".utf8)
    return key.withUnsafeBytes { body($0, hasher.hash($0.baseAddress!, $0.count)) }
  }

  func find(_ number: Int) -> SlotTable.Place? { withKey(number) { table.find($0, $1) } }

  func insert(_ number: Int) {
    withKey(number) { key, hash in
      let record = Record.allocate(key: key, payloadBytes: 8, &heap)
      table.insert(record, hash)
      records[number] = record
    }
  }

  func replace(_ number: Int) {
    guard let place = find(number), let old = records[number] else { return }
    withKey(number) { key, _ in
      let record = Record.allocate(key: key, payloadBytes: 16, &heap)
      table.replace(place, with: record)
      records[number] = record
    }
    old.release(&heap)
  }

  func remove(_ number: Int) {
    guard let record = records.removeValue(forKey: number) else { return }
    table.remove(table.place(of: record))
    record.release(&heap)
  }

  func check(_ numbers: some Sequence<Int>) {
    #expect(table.count == records.count)
    #expect(table.usedSlots >= 0 && table.usedSlots <= table.capacity * 15 / 16)
    for number in numbers {
      #expect(find(number)?.record == records[number], "key:\(number)")
      withKey(number) { _, hash in
        SlotTable.prefetchSlot(directory, hash)
        SlotTable.prefetchRecord(directory, hash)
      }
    }
  }
}

@Suite("The slot table") struct MemoryTableTests {
  @Test("It finds what a dictionary finds, through growth and shrinking", arguments: 0..<4)
  func random(round: UInt64) {
    var random = SeededRandom(seed() &+ round)
    let run = TableRun()
    let highest = random.pick([100, 2_000, 40_000])
    for phase in 0..<10 {
      let insertions = phase % 2 == 0 ? 8 : 2
      for _ in 0..<6_000 {
        let number = random.int(0...highest)
        if random.oneIn(20) {
          run.replace(number)
        } else if random.int(0...9) < insertions {
          if run.records[number] == nil { run.insert(number) }
        } else {
          run.remove(number)
        }
        if random.oneIn(500) { run.table.advance(slots: random.int(1...700)) }
      }
      run.check(0...highest)
    }
  }

  @Test("It grows with its records and shrinks when they go")
  func size() {
    let run = TableRun()
    for number in 0..<100_000 { run.insert(number) }
    while run.table.isResizing { run.table.advance(slots: 1_000) }
    run.check(stride(from: 0, to: 110_000, by: 7))
    #expect(run.table.capacity == 131_072)
    #expect(run.table.memoryBytes == 8 * 131_072)
    for number in 0..<100_000 { run.remove(number) }
    while run.table.isResizing { run.table.advance(slots: 1_000) }
    run.check(0..<100)
    #expect(run.table.capacity <= 1024)
    #expect(run.table.usedSlots == 0)
  }

  @Test("Coming and going keys neither grow the table nor fill it with tombstones")
  func churn() {
    let run = TableRun()
    for number in 0..<1_500 { run.insert(number) }
    let capacity = run.table.capacity
    for number in 1_500..<100_000 {
      run.insert(number)
      run.remove(number - 1_500)
      #expect(run.table.usedSlots < run.table.capacity)
    }
    // Three quarters full, it doubles once instead of sweeping tombstones all the time.
    #expect(run.table.capacity <= 2 * capacity)
    run.check(0..<100_000)
  }

  @Test("Keys whose hashes all collide are still told apart")
  func collisions() {
    // With these words the hash of a key up to 3 bytes long is zero throughout.
    let run = TableRun(hasher: KeyHasher(seed: 0, secret: 0))
    for number in 0..<300 { run.insert(number) }
    run.check(0..<400)
    for number in stride(from: 0, to: 300, by: 2) { run.remove(number) }
    run.check(0..<400)
  }
}
