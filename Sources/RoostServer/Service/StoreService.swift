import ProtobufC
import RoostAPI
import RoostStore
import TTRPC

/// Registers the handlers of `roost.v1.KV` and of what is built of `roost.v1.Admin`. What is not
/// registered answers UNIMPLEMENTED.
struct StoreService: Sendable {
  let engine: any StorageEngine
  let limits: RequestLimits
  let longCalls = LongCalls()
  let figures: @Sendable () -> ServerFigures

  /// The handlers of one event loop.
  func register(on dispatcher: inout Dispatcher, loop: ServerLoop) {
    let scope = StoreScope(engine: engine, arena: loop.arena, limits: limits)
    if let durability = engine.logDurability {
      DurabilityGate.install(durability, on: &dispatcher, loop: loop)
    }
    registerKV(on: &dispatcher, scope)
    dispatcher.register(inline: PingHandler(scope), for: Admin.Methods.ping.descriptor)
    dispatcher.register(inline: SnapshotHandler(scope), for: Admin.Methods.snapshot.descriptor)
    dispatcher.register(
      inline: StatusHandler(scope, figures: figures), for: Admin.Methods.status.descriptor)
  }

  private func registerKV(on dispatcher: inout Dispatcher, _ scope: StoreScope) {
    typealias Methods = KV.Methods
    dispatcher.register(inline: GetHandler(scope), for: Methods.get.descriptor)
    dispatcher.register(inline: BatchGetHandler(scope), for: Methods.batchGet.descriptor)
    dispatcher.register(inline: SetHandler(scope), for: Methods.set.descriptor)
    dispatcher.register(inline: DeleteHandler(scope), for: Methods.delete.descriptor)
    dispatcher.register(
      inline: DeleteRangeHandler(scope, longCalls), for: Methods.deleteRange.descriptor)
    dispatcher.register(inline: IncrementHandler(scope), for: Methods.increment.descriptor)
    dispatcher.register(inline: TouchHandler(scope), for: Methods.touch.descriptor)
    dispatcher.register(inline: PushHandler(scope), for: Methods.push.descriptor)
    dispatcher.register(inline: PopHandler(scope), for: Methods.pop.descriptor)
    dispatcher.register(inline: ListRangeHandler(scope), for: Methods.listRange.descriptor)
    dispatcher.register(inline: TransactHandler(scope), for: Methods.transact.descriptor)
    dispatcher.register(inline: ScanHandler(scope, longCalls), for: Methods.scan.descriptor)
    dispatcher.register(inline: CountHandler(scope), for: Methods.count.descriptor)
  }
}
