import RoostStore

extension ReferenceStore {
  /// What is wrong with a page of a scan; `nil` where nothing is.
  mutating func scanFault(_ call: ScanCall, now: Int64, page: ScanAnswer) throws -> String? {
    expire(now)
    let pattern = try call.pattern?.compile()
    func isAfter(_ key: Bytes, _ other: Bytes) -> Bool { call.reverse ? key < other : key > other }
    func isAhead(_ key: Bytes) -> Bool { call.resumeAfter.map { isAfter(key, $0) } ?? true }
    let candidates = entries.keys.filter { call.range.contains($0) && isAhead($0) }
    let matches = candidates.filter { pattern?.matches(bytes: $0.array) ?? true }
      .sorted { isAfter($1, $0) }

    var expected = matches
    if let resume = page.resumeAfter {
      if !isAhead(resume) { return "goes on at \(resume), which is where it was" }
      expected = matches.filter { !isAfter($0, resume) }
      let next = matches.first { isAfter($0, resume) }
      let nextBytes = next.map { $0.count + entries[$0]!.sizeBound } ?? 0
      let bytes = page.entries.reduce(nextBytes) { $0 + $1.sizeBound }
      let isFull =
        page.entries.count == call.pageSize || page.examined >= call.maxExamined
        || bytes > call.maxPageBytes
        || call.pattern != nil  // which may have taken its time
      if !isFull { return "ends its page for no reason" }
    }
    if page.keys != expected { return "expected the keys \(expected)" }
    if page.keys.count > call.pageSize { return "has more than \(call.pageSize) entries" }
    if page.examined < page.keys.count || page.examined > call.maxExamined {
      return "says that it examined \(page.examined) keys"
    }
    for var entry in page.entries {
      var stored = entries[entry.key]
      if call.keysOnly || entry.valueOmitted { stored?.value = nil }
      let mayOmit = entry.key.count + (entries[entry.key]?.sizeBound ?? 0) > call.maxPageBytes
      if entry.valueOmitted && (!mayOmit || call.keysOnly) { return "omits \(entry.key)'s value" }
      entry.valueOmitted = false
      entry.key = []
      if entry != stored { return "expected \(String(describing: stored))" }
    }
    let revision = seeRevision(page.revision)
    return page.revision == revision ? nil : "expected revision \(revision)"
  }
}

extension StoredEntry {
  /// More than the entry takes in an answer.
  var sizeBound: Int {
    let value =
      switch value {
      case .bytes(let bytes), .text(let bytes): bytes.count
      case .list(let items): items.reduce(0) { $0 + $1.count + 8 }
      default: 16
      }
    return key.count + value + 128
  }
}
