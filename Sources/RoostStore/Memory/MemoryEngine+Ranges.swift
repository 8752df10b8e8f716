// Scan, count and delete over a range: what goes by the order of keys.
extension MemoryEngine {
  /// Keys that a scan looks at before it gives the locks back for a moment.
  private static var keysPerSlice: Int { 256 }
  /// Expired keys that are freed while all locks are held; more are freed in slices before.
  private static var keysExpiredAtOnce: Int { 64 }

  public func scan(
    _ command: ScanCommand, _ reply: ReplyArena, later: Later<ScanResult>
  ) throws(StoreError) -> Answer<ScanResult> {
    let revision = shards.currentRevision
    var page = ScanPage(command, reply, stepMillis: time.stepMillis)
    var merge = ShardMerge(shards, reverse: command.reverse, memory: reply)
    let outcome =
      if let pattern = page.matching {
        fill(&page, &merge, matching: pattern, reply)
      } else {
        fill(&page, &merge, reply)
      }
    return .now(
      ScanResult(
        entries: page.found, resumeAfter: outcome == .pageFull ? page.resumeAfter : nil,
        examined: page.examined, revision: revision))
  }

  private func fill(
    _ page: inout ScanPage, _ merge: inout ShardMerge, _ reply: ReplyArena
  ) -> ScanPage.Outcome {
    while true {
      shards.lock(shards.all)
      merge.refresh { page.isBefore($0) }
      let outcome = page.fill(&merge, now: time.now, maxExamined: Self.keysPerSlice)
      showAll(reply)
      shards.unlock(shards.all)
      if outcome != .sliceDone { return outcome }
      page.stopIfCancelled()
    }
  }

  /// Locks the shards to copy the next keys, and again to read the entries of those that match: a
  /// pattern may take longer for a slice than anybody should wait for a lock.
  private func fill(
    _ page: inout ScanPage, _ merge: inout ShardMerge, matching pattern: KeyPattern,
    _ reply: ReplyArena
  ) -> ScanPage.Outcome {
    var slice = KeySlice(memory: reply)
    while true {
      shards.lock(shards.all)
      merge.refresh { page.isBefore($0) }
      let copied = page.copyKeys(&merge, to: &slice, now: time.now)
      showAll(reply)
      shards.unlock(shards.all)
      if copied != .sliceDone { return copied }
      while slice.hasMore {
        page.match(&slice, pattern, shards.hasher)
        // What did not match was shown when it was copied.
        let locked = slice.matches > 0 ? shards.all : ShardSet()
        shards.lock(locked)
        let read = page.readMatches(&slice, shards, now: time.now)
        showAll(reply)
        shards.unlock(locked)
        if read != .sliceDone { return read }
      }
      if slice.endsRange { return .rangeDone }
    }
  }

  public func count(
    _ range: KeyRangeRef, _ reply: ReplyArena, later: Later<CountResult>
  ) throws(StoreError) -> Answer<CountResult> {
    let window = KeyWindow(range)
    lockWithoutExpired(window)
    var count = 0
    let now = time.now
    for index in 0..<shards.count {
      count &+= window.places(shards[index].pointee.index).count
      if window.isEverything { count &-= shards[index].pointee.expiredCount(at: now) }
    }
    let revision = shards.currentRevision
    showAll(reply)
    unlockAllAfterWrite()
    return .now(CountResult(count: Int64(count), revision: revision))
  }

  public func deleteRange(
    _ command: DeleteRangeCommand, _ reply: ReplyArena, later: Later<DeleteRangeResult>
  ) throws(StoreError) -> Answer<DeleteRangeResult> {
    try check(command.durability)
    guard let ticket = command.ticket else {
      return .now(try deleteRange(command, nil, reply))
    }
    return .now(
      try once(ticket, command.durability, reply) { held throws(StoreError) in
        try deleteRange(command, held, reply)
      })
  }

  private func deleteRange(
    _ command: DeleteRangeCommand, _ held: HeldTicket?, _ reply: ReplyArena
  ) throws(StoreError) -> DeleteRangeResult {
    try admitDeletion()
    let window = KeyWindow(command.range)
    lockWithoutExpired(window, exactly: true)
    defer { unlockAllAfterWrite() }
    showAll(reply)
    var count = 0
    for index in 0..<shards.count {
      count &+= window.places(shards[index].pointee.index).count
    }
    if command.dryRun { return DeleteRangeResult(deleted: Int64(count), revision: 0) }
    if count > command.maxKeys {
      throw .rangeTooLarge(keys: Int64(count), limit: command.maxKeys)
    }
    guard count > 0 else { return DeleteRangeResult(deleted: 0, revision: 0) }
    let result = commitDeletion(command, count: count, held)
    note(written: result.revision, command.durability, reply)
    unlinkAll(of: window, result.revision)
    sweeper.wakeUp()
    return result
  }

  /// Takes the revision of the deletion, and logs it with its answer, where that is kept.
  private func commitDeletion(
    _ command: DeleteRangeCommand, count: Int, _ held: HeldTicket?
  ) -> DeleteRangeResult {
    guard let held else {
      return DeleteRangeResult(
        deleted: Int64(count), revision: shards[0].pointee.commit(deletionOf: command.range))
    }
    var result = DeleteRangeResult(deleted: Int64(count), revision: UndoLog.provisionalRevision)
    let answer = held.answer(result, recordedAt: time.now, stepMillis: time.stepMillis)
    var group = ChangeGroup(stepMillis: 0)
    if changeLog != nil { group.add(deletionOf: command.range) }
    result.revision = shards[0].pointee.commit(group, answer: answer.image)
    keep(answer, held, result.revision)
    return result
  }

  /// Takes all keys of a window out of the data.
  private func unlinkAll(of window: KeyWindow, _ revision: Int64) {
    let lower = window.lower
    for index in 0..<shards.count {
      let shard = shards[index]
      shard.pointee.noteRangeDeletion(revision)
      var left = window.places(shard.pointee.index).count
      while left > 0 {
        var cursor = shard.pointee.index.seek { lower.follows($0.key) }
        guard let first = cursor.next() else { preconditionFailure("a range lost its keys") }
        left &-= shard.pointee.unlinkRun(from: first, maxCount: left)
      }
    }
  }

  /// Locks all shards at a moment when no expired key is in them: but where the window is
  /// everything, unless `exactly`, expired keys may be left, to be subtracted.
  private func lockWithoutExpired(_ window: KeyWindow, exactly: Bool = false) {
    while true {
      shards.lock(shards.all)
      if window.isEverything, !exactly { return }
      let now = time.now
      var expired = 0
      for index in 0..<shards.count { expired &+= shards[index].pointee.expiredCount(at: now) }
      if expired <= Self.keysExpiredAtOnce {
        for index in 0..<shards.count where expired > 0 {
          _ = shards[index].pointee.expireDue(at: now, maxKeys: expired)
        }
        return
      }
      shards.unlock(shards.all)
      sweeper.expireAll()
    }
  }

  private func unlockAllAfterWrite() {
    if maxMemoryBytes != nil {
      for index in 0..<shards.count { shards.publishMemory(index) }
    }
    shards.unlock(shards.all)
  }
}
