import RoostStore

/// The engine as event loops call it: a class behind an existential is retained and released for
/// each call on it, a known class behind `Unmanaged` is not. Measured at 1.1 µs for a Get: the six
/// pairs were 6 % of it.
///
/// 1. It holds nothing: the owner, which whoever makes the handle keeps, holds the engine. So a
///    copy of it costs nothing either.
/// 2. `memory` executes the commands, where the owner's engine is a `MemoryEngine` or has one in
///    front of its log.
/// 3. Here are the commands of which there are many; the others go through `any`.
struct EngineHandle {
  /// Holds an engine.
  final class Owner {
    let engine: any StorageEngine
    init(_ engine: any StorageEngine) { self.engine = engine }
  }

  private let owner: Unmanaged<Owner>
  private let memory: Unmanaged<MemoryEngine>?
  /// What answers wait for; `nil`: nothing.
  let durability: Unmanaged<LogDurability>?

  /// - Parameter owner: outlives the handle.
  init(unowned owner: Owner) {
    self.owner = .passUnretained(owner)
    let memory = (owner.engine as? LogEngine)?.data ?? owner.engine as? MemoryEngine
    self.memory = memory.map(Unmanaged.passUnretained)
    durability = owner.engine.logDurability.map(Unmanaged.passUnretained)
  }

  /// The engine.
  var any: any StorageEngine { owner._withUnsafeGuaranteedRef { $0.engine } }

  @inline(__always)
  func hash(_ key: UnsafeRawBufferPointer) -> UInt64 {
    guard let memory else { return any.hash(key) }
    return memory._withUnsafeGuaranteedRef { $0.hash(key) }
  }

  @inline(__always)
  func prefetchSlot(_ hash: UInt64) {
    guard let memory else { return any.prefetchSlot(hash) }
    memory._withUnsafeGuaranteedRef { $0.prefetchSlot(hash) }
  }

  @inline(__always)
  func prefetchEntry(_ hash: UInt64) {
    guard let memory else { return any.prefetchEntry(hash) }
    memory._withUnsafeGuaranteedRef { $0.prefetchEntry(hash) }
  }

  @inline(__always)
  func get(
    _ command: GetCommand, _ reply: ReplyArena, later: Later<EntryRef?>
  ) throws(StoreError) -> Answer<EntryRef?> {
    guard let memory else { return try any.get(command, reply, later: later) }
    return try memory._withUnsafeGuaranteedRef { engine -> Result<_, StoreError> in
      do throws(StoreError) {
        return .success(try engine.get(command, reply, later: later))
      } catch {
        return .failure(error)
      }
    }.get()
  }

  @inline(__always)
  func set(
    _ command: SetCommand, _ reply: ReplyArena, later: Later<SetResult>
  ) throws(StoreError) -> Answer<SetResult> {
    guard let memory else { return try any.set(command, reply, later: later) }
    return try memory._withUnsafeGuaranteedRef { engine -> Result<_, StoreError> in
      do throws(StoreError) {
        return .success(try engine.set(command, reply, later: later))
      } catch {
        return .failure(error)
      }
    }.get()
  }
}
