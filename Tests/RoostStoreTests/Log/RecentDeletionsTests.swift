import Testing

@testable import RoostStore

@Suite("What the absence of a key depends on") struct RecentDeletionsTests {
  @Test("Nothing, where nothing was deleted")
  func none() {
    let deletions = RecentDeletions()
    #expect(deletions.revision(of: 1) == 0)
  }

  @Test("Its own deletion, and not that of another key")
  func own() {
    var deletions = RecentDeletions()
    defer { deletions.release() }
    deletions.note(1, 10)
    deletions.note(2, 11)
    deletions.note(1, 12)
    #expect(deletions.revision(of: 1) == 12)
    #expect(deletions.revision(of: 2) == 11)
    #expect(deletions.revision(of: 3) == 0)
    deletions.noteAll(20)
    #expect(deletions.revision(of: 3) == 20)
    #expect(deletions.revision(of: 1) == 20)
  }

  @Test("At least the key's last deletion, however many came after it")
  func bounds() {
    var random = SeededRandom(seed())
    for _ in 0..<20 {
      var deletions = RecentDeletions()
      defer { deletions.release() }
      var last: [UInt64: Int64] = [:]
      var all: Int64 = 0
      for revision in Int64(1)...400 {
        let hash = UInt64(random.int(0...random.pick([5, 200])))
        if random.oneIn(100) {
          deletions.noteAll(revision)
          all = revision
        } else {
          deletions.note(hash, revision)
          last[hash] = revision
        }
        let asked = UInt64(random.int(0...200))
        let found = deletions.revision(of: asked)
        #expect(found >= max(all, last[asked] ?? 0) && found <= revision, "seed \(seed())")
        #expect(deletions.revision(of: hash) >= max(all, last[hash] ?? 0))
      }
    }
  }
}
