#if canImport(Glibc)
  import Glibc
#endif

// Kept answers in a snapshot: each image after its length, 32 bits.

extension SnapshotWriter {
  /// Appends the answers that an engine keeps.
  func append(answersOf table: AnswerTable) throws(LogError) {
    var failure: LogError?
    var buffer = GrowingBuffer()
    table.forEachImage { answer in
      guard failure == nil else { return }
      buffer.removeAll()
      let target = buffer.add(4 + answer.count)
      target.storeBytes(of: UInt32(answer.count), as: UInt32.self)
      if let base = answer.baseAddress { memcpy(target + 4, base, answer.count) }
      do throws(LogError) {
        try append(.answers, UnsafeRawBufferPointer(start: target, count: 4 + answer.count))
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
  }
}

extension SnapshotFormat {
  /// Calls `body` with each image in the raw bytes of a block of answers.
  static func forEachAnswer(
    in block: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Void
  ) {
    var rest = block
    while rest.count >= 4 {
      let count = Int(rest.loadUnaligned(as: UInt32.self))
      guard rest.count - 4 >= count else { return }
      body(UnsafeRawBufferPointer(rebasing: rest[4..<4 + count]))
      rest = UnsafeRawBufferPointer(rebasing: rest[(4 + count)...])
    }
  }
}
