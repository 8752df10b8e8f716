import CRoostProtos
import ProtobufC
import RoostStore
import TTRPC

/// A checked DeleteRange. Trivial: it lives in the arena and borrows from there.
struct DeleteRangePlan {
  var command: DeleteRangeCommand

  init(_ payload: UnsafeRawBufferPointer, _ scope: StoreScope) throws(RequestError) {
    let request = try scope.decode(
      payload, roost__v1__delete_range_request__descriptor_address(),
      as: Roost__V1__DeleteRangeRequest.self)
    command = DeleteRangeCommand(range: try scope.readRange(request.pointee.range))
    command.dryRun = request.pointee.dry_run != 0
    command.maxKeys = scope.limits.maxDeleteRangeKeys
    let flags = try scope.readOptions(request.pointee.options)
    command.durability = flags.durability
    command.ticket = flags.ticket
  }
}

/// DeleteRange. Few keys are deleted on the loop, many beside it, in one atomic step either way.
/// One per event loop.
final class DeleteRangeHandler: InlineHandler {
  /// A range of at most so many keys is deleted on the loop.
  static let maxInlineKeys: Int64 = 2_048

  private let scope: StoreScope
  private let longCalls: LongCalls

  init(_ scope: StoreScope, _ longCalls: LongCalls) {
    self.scope = scope
    self.longCalls = longCalls
  }

  func prepare(_ call: inout InlineCall) {
    do throws(RequestError) {
      let plan = try scope.allocate(DeleteRangePlan.self)
      plan.initialize(to: try DeleteRangePlan(call.payload, scope))
      call.message = UnsafeMutableRawPointer(plan)
    } catch {
      call.refuse(error.code, error.message)
    }
  }

  func execute(_ call: inout InlineCall, _ response: inout ResponseWriter) {
    let command = call.message!.assumingMemoryBound(to: DeleteRangePlan.self).pointee.command
    do throws(RequestError) {
      try call.authorize { principal throws(RequestError) in
        try principal.require(.write, command.range)
      }
      if isLong(command) { return try executeBeside(call.payload, call.tokenID, &response) }
    } catch {
      return response.fail(error.code, error.message)
    }
    command.completeTicket(call)
    let reply = scope.beginReply(response)
    do throws(StoreError) {
      let answer = try scope.engine.any.deleteRange(command, reply) {
        let deferred = response.deferred()
        return { Self.answer(deferred, $0) }
      }
      guard case .now(let result) = answer else { return }
      scope.release(reply, &response) { response in
        response.respond(reply.message(deleteRange: result, isReplayed: reply.isReplayed))
      } encoded: {
        reply.message(deleteRange: result, isReplayed: reply.isReplayed).encoded()
      }
    } catch {
      scope.release(error, reply, &response)
    }
  }

  /// Whether there is so much to delete that the loop should not wait for it. A range that is too
  /// large, or only counted, is not: nothing will be deleted.
  private func isLong(_ command: DeleteRangeCommand) -> Bool {
    if command.dryRun { return false }
    scope.reply.reset()
    let answer = try? scope.engine.any.count(command.range, scope.reply, later: { { _ in } })
    guard case .now(let range) = answer else { return false }
    return range.count > Self.maxInlineKeys && range.count <= command.maxKeys
  }

  private func executeBeside(
    _ payload: UnsafeRawBufferPointer, _ tokenID: UnsafeRawBufferPointer,
    _ response: inout ResponseWriter
  ) throws(RequestError) {
    try longCalls.reserve(requestBytes: payload.count)
    let call = LongCall(payload, &response, scope)
    let owner = [UInt8](tokenID)
    call.start(on: longCalls) { payload, scope throws(RequestError) in
      let command = try DeleteRangePlan(payload, scope).command
      owner.withUnsafeBytes { owner in
        command.ticket?.complete(DeleteRangeCommand.method, payload, owner: owner)
        Self.delete(command, scope, call.deferred)
      }
    }
  }

  private static func delete(
    _ command: DeleteRangeCommand, _ scope: StoreScope, _ deferred: DeferredResponse
  ) {
    do throws(StoreError) {
      let answer = try scope.engine.any.deleteRange(command, scope.reply) {
        { Self.answer(deferred, $0) }
      }
      guard case .now(let result) = answer else { return }
      let message = ReplyMessage.encoded {
        $0.message(deleteRange: result, isReplayed: scope.reply.isReplayed)
      }
      scope.release(.success(message), scope.reply, deferred)
    } catch {
      scope.release(.failure(error.status), scope.reply, deferred)
    }
  }

  private static func answer(
    _ deferred: DeferredResponse, _ result: Result<DeleteRangeResult, StoreError>
  ) {
    switch result {
    case .success(let result):
      deferred.respond(ReplyMessage.encoded { $0.message(deleteRange: result) })
    case .failure(let error): deferred.fail(error.status)
    }
  }
}

extension ReplyArena {
  func message(deleteRange result: DeleteRangeResult, isReplayed: Bool = false) -> ReplyMessage {
    let message = make(roost__v1__delete_range_response__init)
    message.pointee.deleted = result.deleted
    message.pointee.revision = result.revision
    message.pointee.replayed = isReplayed ? 1 : 0
    return ReplyMessage(message, maxBytes: ReplyMessage.fixedBytes)
  }
}
