import CProtobufC
import CRoostProtos
import ProtobufC
import RoostAPI
import RoostStore
import TTRPC

// Ping and Status. Each class is made once per event loop.

/// Answers with the request's payload.
final class PingHandler: InlineHandler {
  private let scope: StoreScope

  init(_ scope: StoreScope) { self.scope = scope }

  func prepare(_ call: inout InlineCall) {
    do throws(RequestError) {
      let request = try scope.decode(
        call.payload, roost__v1__ping_request__descriptor_address(),
        as: Roost__V1__PingRequest.self)
      call.message = UnsafeMutableRawPointer(mutating: request)
    } catch {
      call.refuse(error.code, error.message)
    }
  }

  func execute(_ call: inout InlineCall, _ response: inout ResponseWriter) {
    let request = call.message!.assumingMemoryBound(to: Roost__V1__PingRequest.self)
    let reply = scope.beginReply(response)
    let message = reply.make(roost__v1__ping_response__init)
    message.pointee.payload = request.pointee.payload
    let answer = ReplyMessage(
      message, maxBytes: ReplyMessage.fixedBytes + request.pointee.payload.len)
    response.respond(answer)
  }
}

/// Takes a snapshot, and answers when it is done.
final class SnapshotHandler: InlineHandler {
  private let scope: StoreScope

  init(_ scope: StoreScope) { self.scope = scope }

  func prepare(_ call: inout InlineCall) {
    do throws(RequestError) {
      _ = try scope.decode(
        call.payload, roost__v1__snapshot_request__descriptor_address(),
        as: Roost__V1__SnapshotRequest.self)
    } catch {
      call.refuse(error.code, error.message)
    }
  }

  func execute(_ call: inout InlineCall, _ response: inout ResponseWriter) {
    do throws(RequestError) {
      try call.authorize { principal throws(RequestError) in
        try principal.require(.admin, KeyRangeRef())
      }
    } catch {
      return response.fail(error.code, error.message)
    }
    let deferred = response.deferred()
    scope.engine.any.takeSnapshot { result in
      switch result {
      case .success(let summary):
        do {
          deferred.respond(try summary.message.encoded())
        } catch {
          deferred.fail(.internal, "the answer could not be encoded")
        }
      case .failure(let error): deferred.fail(error.status)
      }
    }
  }
}

extension SnapshotSummary {
  fileprivate var message: SnapshotResponse {
    SnapshotResponse(
      revision: revision, entryCount: entryCount, fileBytes: fileBytes,
      durationMs: durationMillis)
  }
}

extension LogError {
  /// What a caller is told: without the disk's details, which the log has.
  fileprivate var status: RPCError {
    switch self {
    case .notPossible(let reason): RPCError(.failedPrecondition, "no snapshot: \(reason)")
    default: RPCError(.internal, "no snapshot could be taken: the server's log says why")
    }
  }
}

/// Answers with the server's and the engine's figures.
final class StatusHandler: InlineHandler {
  private let scope: StoreScope
  private let figures: @Sendable () -> ServerFigures
  private let version: UnsafeMutablePointer<CChar>
  private let engineName: UnsafeMutablePointer<CChar>

  init(_ scope: StoreScope, figures: @escaping @Sendable () -> ServerFigures) {
    self.scope = scope
    self.figures = figures
    version = Self.copy(RoostVersion.current)
    engineName = Self.copy(scope.engine.any.name)
  }

  deinit {
    version.deallocate()
    engineName.deallocate()
  }

  private static func copy(_ text: String) -> UnsafeMutablePointer<CChar> {
    let bytes = text.utf8CString
    let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
    bytes.withUnsafeBufferPointer { copy.initialize(from: $0.baseAddress!, count: $0.count) }
    return copy
  }

  func prepare(_ call: inout InlineCall) {
    do throws(RequestError) {
      _ = try scope.decode(
        call.payload, roost__v1__status_request__descriptor_address(),
        as: Roost__V1__StatusRequest.self)
    } catch {
      call.refuse(error.code, error.message)
    }
  }

  func execute(_ call: inout InlineCall, _ response: inout ResponseWriter) {
    let (status, figures) = (scope.engine.any.status(), figures())
    let message = scope.beginReply(response).make(roost__v1__status_response__init)
    message.pointee.version = version
    message.pointee.engine = engineName
    message.pointee.uptime_ms = figures.uptimeMillis
    message.pointee.revision = status.revision
    message.pointee.durable_revision = status.durableRevision
    message.pointee.key_count = status.keyCount
    message.pointee.memory_bytes = status.memoryBytes
    message.pointee.log_bytes = status.logBytes
    message.pointee.connection_count = figures.connectionCount
    message.pointee.call_count = figures.callCount
    message.pointee.idempotency_bytes = status.idempotencyBytes
    message.pointee.idempotency_window_ms = status.idempotencyWindowMillis
    message.pointee.draining = figures.draining ? 1 : 0
    let answer = ReplyMessage(message, maxBytes: 4 * ReplyMessage.fixedBytes)
    response.respond(answer)
  }
}
