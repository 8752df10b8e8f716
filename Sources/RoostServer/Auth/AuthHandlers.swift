import CProtobufC
import Logging
import ProtobufC
import RoostAPI
import TTRPC

/// The part of `roost.v1.Auth` that is built: Bind and WhoAmI.
public enum AuthService {
  /// Adds authentication to a loop's dispatcher, and the handlers of Bind and WhoAmI.
  /// - Parameter tokens: `nil` where authentication is off; then Bind accepts anything.
  public static func register(
    on dispatcher: inout Dispatcher, loop: ServerLoop, tokens: TokenStore?, logger: Logger
  ) {
    let authenticator = tokens.map { Authenticator(store: $0, loop: loop, logger: logger) }
    if let authenticator { dispatcher.add(interceptor: authenticator) }
    dispatcher.register(
      inline: BindHandler(authenticator, arena: loop.arena), for: Auth.Methods.bind.descriptor)
    dispatcher.register(
      inline: WhoAmIHandler(arena: loop.arena), for: Auth.Methods.whoAmI.descriptor)
  }
}

/// `roost.v1.Auth/Bind`: from the next call on the connection is the token's. Inline, so that this
/// holds for a call that was sent right behind it.
final class BindHandler: InlineHandler {
  private let authenticator: Authenticator?
  private let arena: Arena

  init(_ authenticator: Authenticator?, arena: Arena) {
    self.authenticator = authenticator
    self.arena = arena
  }

  func prepare(_ call: inout InlineCall) {}

  /// Decodes in its turn, and not before, so that a request that cannot be read unbinds as well.
  func execute(_ call: inout InlineCall, _ response: inout ResponseWriter) {
    let request: BindRequest.View
    do throws(DecodeError) {
      arena.beginCall()
      request = try BindRequest.View.decode(call.payload, in: arena)
    } catch {
      authenticator?.unbind(call.connection)
      return response.fail(error.status)
    }
    guard let authenticator else {
      return response.respond(BindResponse(token: TokenInfo.everything), in: arena)
    }
    do throws(TokenRefusal) {
      let principal = try authenticator.bind(call.connection, to: request.token)
      response.respond(BindResponse(token: TokenInfo(principal)), in: arena)
    } catch {
      response.fail(Authenticator.unauthenticated)
    }
  }
}

/// `roost.v1.Auth/WhoAmI`.
final class WhoAmIHandler: InlineHandler {
  private let arena: Arena

  init(arena: Arena) { self.arena = arena }

  func prepare(_ call: inout InlineCall) {
    do throws(DecodeError) {
      _ = try WhoAmIRequest.View.decode(call.payload, in: arena)
    } catch {
      call.refuse(error.status.code, error.status.message)
    }
  }

  func execute(_ call: inout InlineCall, _ response: inout ResponseWriter) {
    // Without an attachment authentication is off.
    let principal = call.attachment?.takeUnretainedValue() as? Principal
    let info = principal.map(TokenInfo.init) ?? .everything
    response.respond(WhoAmIResponse(token: info), in: arena)
  }
}

extension TokenInfo {
  /// What may be said of a token to whoever holds it.
  init(_ principal: Principal) {
    self.init(
      id: principal.tokenID, name: principal.name, grants: principal.grants.map(Grant.init),
      createdAtMs: principal.createdAtMillis, expiresAtMs: principal.expiresAtMillis,
      lastUsedAtMs: principal.lastUsedAtMillis)
  }

  /// What everybody is where authentication is off: no token, with every right.
  static let everything = TokenInfo(
    name: "authentication is off", grants: [Grant(AccessGrant(.all))])
}

extension Grant {
  init(_ grant: AccessGrant) {
    self.init(
      prefix: grant.prefix,
      actions: grant.actions.actions.map { Action(rawValue: Int32($0.rawValue)) })
  }
}

extension DecodeError {
  /// What the caller is told.
  fileprivate var status: RPCError {
    switch self {
    case .malformed: RPCError(.invalidArgument, "the request is not the method's message")
    case .invalidUTF8: RPCError(.invalidArgument, "a text of the request is not UTF-8")
    case .overBudget(let bytes):
      RPCError(.resourceExhausted, "decoding the request takes more than \(bytes) bytes")
    }
  }
}

extension ResponseWriter {
  /// Answers with a message that is built in the arena: for calls that are not hot.
  fileprivate mutating func respond(_ message: some Message, in arena: Arena) {
    // With a budget of its own: the last one that began is that of whichever call came last.
    arena.beginCall()
    do throws(DecodeError) {
      try message.encoded(in: arena).withUnsafeBytes { respond($0) }
    } catch {
      fail(error.status)
    }
  }
}
