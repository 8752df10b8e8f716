import Glibc

// How a shard takes over what a log or a snapshot says, at a start. Nothing of it is logged, and
// no revision is taken.
extension Shard {
  /// Puts an entry, unless there is one as new.
  /// - Parameters:
  ///   - hash: of its key.
  ///   - revision: the image's own, or its group's.
  ///   - isForced: whether one of the same revision is replaced, too.
  /// - Returns: whether it was put.
  @discardableResult
  mutating func restore(
    _ image: EntryImage, hash: UInt64, revision: Int64, isForced: Bool = false
  ) -> Bool {
    let place = table.find(image.key, hash)
    if let old = place?.record, old.revision >= revision, !(isForced && old.revision == revision) {
      return false
    }
    let record = makeRecord(image, revision)
    if let place {
      let old = place.record
      relink(place, to: record)
      discard(old)
    } else {
      link(record, hash: hash)
    }
    return true
  }

  private mutating func makeRecord(_ image: EntryImage, _ revision: Int64) -> Record {
    let isList = image.kind == .list
    let record = Record.allocate(
      key: image.key, payloadBytes: isList ? 8 : image.value.count, &heap)
    record.revision = revision
    let createRevision = image.createRevision
    record.createRevision =
      createRevision == UndoLog.provisionalRevision ? revision : createRevision
    record.restoreHeader(from: image)
    if isList {
      let list = ItemList.allocate(&heap)
      var left = image.items.encodedBytes
      image.items.forEach { item in
        list.push(item, atFront: false, expectedBytes: left, &heap)
        left &-= item.count &+ 4
      }
      record.list = list
    } else if let base = image.value.baseAddress {
      memcpy(record.payload, base, image.value.count)
    }
    return record
  }

  /// Deletes a key, unless its entry is as new.
  mutating func restoreDeletion(
    of key: UnsafeRawBufferPointer, hash: UInt64, revision: Int64, isForced: Bool = false
  ) {
    guard let place = table.find(key, hash) else { return }
    let record = place.record
    guard record.revision < revision || isForced && record.revision == revision else { return }
    unlink(place)
    discard(record)
  }

  /// Deletes the keys of a window whose entries are older than a revision.
  mutating func restoreDeletion(of window: KeyWindow, revision: Int64) {
    let lower = window.lower
    var cursor = index.seek { lower.follows($0.key) }
    var old: [Record] = []
    while let record = cursor.next(), window.isBelowUpper(record.key) {
      if record.revision < revision { old.append(record) }
    }
    for record in old {
      unlink(table.place(of: record))
      discard(record)
    }
  }

  /// What became of a change of an entry.
  enum ChangeOutcome { case applied, alreadyThere, withoutBase }

  /// Applies a change to the entry that it was made on.
  /// - Parameter revision: the change's own, or its group's.
  mutating func restore(
    _ change: LoggedChange, _ detail: LoggedEntryChange, hash: UInt64, revision: Int64,
    isForced: Bool = false
  ) -> ChangeOutcome {
    guard let record = table.find(detail.key, hash)?.record else { return .withoutBase }
    if !isForced {
      if record.revision >= revision { return .alreadyThere }
      if record.revision != detail.base { return .withoutBase }
    }
    switch change {
    case .push:
      guard record.isList else { return .withoutBase }
      restorePush(detail, record.list)
    case .pop:
      guard record.isList, record.list.count > detail.itemCount else { return .withoutBase }
      for _ in 0..<detail.itemCount { record.list.pop(atFront: detail.isAtFront, &heap) }
    default: break
    }
    record.version = detail.version
    record.updatedMillis = detail.updatedMillis
    setDeadline(record, detail.expiresAtMillis)
    record.revision = revision
    return .applied
  }

  private mutating func restorePush(_ detail: LoggedEntryChange, _ list: ItemList) {
    var left = detail.items.encodedBytes
    detail.items.forEach { item in
      list.push(item, atFront: detail.isAtFront, expectedBytes: left, &heap)
      left &-= item.count &+ 4
    }
    let trimmed = min(detail.trimCount, list.count)
    for _ in 0..<trimmed { list.pop(atFront: !detail.isAtFront, &heap) }
  }
}

extension Record {
  /// Takes over times, version and kind. The rest of the header is its own.
  fileprivate func restoreHeader(from image: EntryImage) {
    let bytes = image.bytes
    createdMillis = Int64(
      bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self) & (1 << 48 - 1))
    updatedMillis = Int64(
      bytes.loadUnaligned(fromByteOffset: 24, as: UInt64.self) & (1 << 48 - 1))
    version =
      Int64(bytes.loadUnaligned(fromByteOffset: 38, as: UInt16.self)) << 32
      | Int64(bytes.loadUnaligned(fromByteOffset: 40, as: UInt32.self))
    // At a start engine time is the wall clock's.
    deadline = image.expiresAtMillis
    kind = image.kind
  }
}
