import ProtobufC
import RoostStore
import TTRPC

/// Scan. A short page without a pattern is answered on the loop, any other beside it. One per
/// event loop.
final class ScanHandler: InlineHandler {
  /// A page of at most so many keys is answered on the loop.
  static let maxInlinePage = 256

  private let scope: StoreScope
  private let longCalls: LongCalls

  init(_ scope: StoreScope, _ longCalls: LongCalls) {
    self.scope = scope
    self.longCalls = longCalls
  }

  func prepare(_ call: inout InlineCall) {
    do throws(RequestError) {
      let plan = try scope.allocate(ScanPlan.self)
      plan.initialize(to: try ScanPlan(call.payload, scope))
      call.message = UnsafeMutableRawPointer(plan)
    } catch {
      call.refuse(error.code, error.message)
    }
  }

  func execute(_ call: inout InlineCall, _ response: inout ResponseWriter) {
    let plan = call.message!.assumingMemoryBound(to: ScanPlan.self).pointee
    do throws(RequestError) {
      try call.authorize { principal throws(RequestError) in
        try principal.require(.read, plan.range)
      }
      if plan.patternKind != nil || plan.pageSize > Self.maxInlinePage {
        return try executeBeside(call.payload, &response)
      }
    } catch {
      return response.fail(error.code, error.message)
    }
    executeInline(plan, &response)
  }

  private func executeInline(_ plan: ScanPlan, _ response: inout ResponseWriter) {
    let reply = scope.beginReply(response)
    do throws(StoreError) {
      let answer = try scope.engine.any.scan(plan.command(nil), reply) {
        let (deferred, tokens) = (response.deferred(), plan.tokens)
        return { Self.answer(deferred, $0, tokens) }
      }
      guard case .now(let page) = answer else { return }
      scope.release(reply, &response) { response in
        response.respond(reply.message(scan: page, plan.tokens))
      } encoded: {
        reply.message(scan: page, plan.tokens).encoded()
      }
    } catch {
      scope.release(error, reply, &response)
    }
  }

  private func executeBeside(
    _ payload: UnsafeRawBufferPointer, _ response: inout ResponseWriter
  ) throws(RequestError) {
    try longCalls.reserve(requestBytes: payload.count)
    let call = LongCall(payload, &response, scope)
    call.start(on: longCalls) { payload, scope throws(RequestError) in
      Self.scan(try ScanPlan(payload, scope), scope, call.deferred)
    }
  }

  private static func scan(
    _ plan: ScanPlan, _ scope: StoreScope, _ deferred: DeferredResponse
  ) {
    do throws(StoreError) {
      var pattern: KeyPattern?
      if let kind = plan.patternKind { pattern = try KeyPattern(kind, plan.pattern) }
      var command = plan.command(pattern)
      command.isCancelled = { deferred.isCancelled }
      let answer = try scope.engine.any.scan(command, scope.reply) {
        let tokens = plan.tokens
        return { Self.answer(deferred, $0, tokens) }
      }
      guard case .now(let page) = answer else { return }
      let message = scope.reply.message(scan: page, plan.tokens).encoded()
      scope.release(.success(message), scope.reply, deferred)
    } catch {
      scope.release(.failure(error.status), scope.reply, deferred)
    }
  }

  /// Answers with what an engine found later.
  private static func answer(
    _ deferred: DeferredResponse, _ result: Result<ScanResult, StoreError>, _ tokens: PageToken
  ) {
    switch result {
    case .success(let page):
      deferred.respond(ReplyMessage.encoded { $0.message(scan: page, tokens) })
    case .failure(let error): deferred.fail(error.status)
    }
  }
}
