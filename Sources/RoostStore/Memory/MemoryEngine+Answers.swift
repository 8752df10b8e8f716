/// A ticket whose stripe's lock is held, and that has no answer yet.
struct HeldTicket {
  let scope: AnswerScope
  let fingerprint: AnswerFingerprint
  let stripe: AnswerStripe

  /// The ticket's answer, to be kept with `MemoryEngine.keep` once its command is committed.
  func answer(
    _ result: some KeptResult, recordedAt: Int64, stepMillis: Int64
  ) -> KeptAnswer {
    KeptAnswer(scope, fingerprint, result, recordedAt: recordedAt, stepMillis: stepMillis)
  }
}

// Commands with an idempotency key: executed once, answered as often as they are repeated.
extension MemoryEngine {
  /// What the log takes of an answer to a deletion while the disk is full.
  private static var smallAnswerBytes: Int { 1 << 10 }

  /// Executes a command unless its ticket has an answer, which it gives then.
  /// - Parameter execute: goes on to `finish` or `keep` where it changes something.
  @inline(never)
  func once<Result: KeptResult>(
    _ ticket: UnsafePointer<AnswerTicket>, _ durability: WriteDurability, _ reply: ReplyArena,
    _ execute: (HeldTicket) throws(StoreError) -> Result
  ) throws(StoreError) -> Result {
    let scope = answers.scope(ticket.pointee)
    let result = try underLock(scope, ticket.pointee.fingerprint, durability, reply, execute)
    answers.trim(now: time.now)
    return result
  }

  private func underLock<Result: KeptResult>(
    _ scope: AnswerScope, _ fingerprint: AnswerFingerprint, _ durability: WriteDurability,
    _ reply: ReplyArena, _ execute: (HeldTicket) throws(StoreError) -> Result
  ) throws(StoreError) -> Result {
    let stripe = answers.stripe(scope)
    stripe.lock()
    defer { stripe.unlock() }
    if let kept = stripe.find(scope), time.now - kept.recordedAt < AnswerTicket.windowMillis {
      return try replay(kept, fingerprint, durability, reply)
    }
    return try execute(HeldTicket(scope: scope, fingerprint: fingerprint, stripe: stripe))
  }

  /// As `once`, for a command on one key.
  /// - Parameters:
  ///   - bytes: what it may add to the log; `nil`: it deletes.
  ///   - execute: is given the key's shard, whose lock is held.
  @inline(never)
  func once<Result: KeptResult>(
    _ ticket: UnsafePointer<AnswerTicket>, _ durability: WriteDurability, _ key: KeyRef,
    adding bytes: Int?, _ reply: ReplyArena,
    _ execute: (Int, WriteContext) throws(StoreError) -> Result
  ) throws(StoreError) -> Result {
    try once(ticket, durability, reply) { held throws(StoreError) in
      if let bytes { try admit(key, bytes) } else { try admitDeletion() }
      let index = lock(key)
      defer { unlockAfterWrite(index) }
      return try withUndo(steps: 1, reply) { context, undo throws(StoreError) in
        undo.pointee.shard = index
        let result = try execute(index, context)
        guard undo.pointee.count > 0 else { return result }
        return try finish(result, held, context, undo, durability, reply)
      }
    }
  }

  /// Gives an answer again. It shows what the first one showed, so it waits like that.
  private func replay<Result: KeptResult>(
    _ kept: KeptAnswer, _ fingerprint: AnswerFingerprint, _ durability: WriteDurability,
    _ reply: ReplyArena
  ) throws(StoreError) -> Result {
    let isLogged = changeLog != nil
    guard kept.fingerprint == fingerprint else {
      if isLogged { reply.show(kept.revision) }
      throw .idempotencyKeyReused
    }
    // All that was there before it, which is what the answer may tell of, is older.
    if isLogged { reply.show(kept.revision - 1) }
    note(written: kept.revision, durability, reply)
    reply.noteReplayed()
    return try AnswerReader.result(of: kept.result, revision: kept.revision, reply)
  }

  /// Makes a group of changes final, at one revision, with its answer where that is to be kept.
  /// - Returns: the result with the revision.
  func finish<Result: KeptResult>(
    _ result: Result, _ held: HeldTicket?, _ context: WriteContext,
    _ undo: UnsafeMutablePointer<UndoLog>, _ durability: WriteDurability, _ reply: ReplyArena
  ) throws(StoreError) -> Result {
    let revision: Int64
    if let held {
      let answer = held.answer(result, recordedAt: context.now, stepMillis: time.stepMillis)
      do throws(StoreError) {
        try admit(answer)
      } catch {
        answer.release()
        undo.pointee.rollBack(shards)
        throw error
      }
      revision = commit(context, undo, answer: answer.image)
      keep(answer, held, revision)
    } else {
      revision = commit(context, undo)
    }
    note(written: revision, durability, reply)
    var result = result
    result.settle(revision)
    return result
  }

  /// Puts an answer in whose command was committed.
  func keep(_ answer: KeptAnswer, _ held: HeldTicket, _ revision: Int64) {
    answer.settle(revision)
    answers.record(answer, in: held.stripe)
  }

  /// Whether the log has room for an answer. A deletion's, which is small, it has in any case.
  private func admit(_ answer: KeptAnswer) throws(StoreError) {
    let bytes = answer.image.count
    guard let changeLog, bytes > Self.smallAnswerBytes else { return }
    try changeLog.takeUnretainedValue().admit(bytes)
  }
}
