import Logging
import RoostAPI
import TTRPC

/// Finds out who makes each call of one event loop, before its handler runs, and leaves the
/// `Principal` in `call.attachment`. Confined to the loop.
///
/// 1. A call that brings a token is that token's, whatever the connection is bound to.
/// 2. A call without one is whose the connection is bound to; `Auth.Bind` takes effect for the next
///    call in the order of execution.
/// 3. Nothing is hashed, allocated or looked up for a token that was verified on the connection
///    before, as long as the tokens in force are the same.
/// 4. A principal that was given to a call lives at least as long as its handler runs: the
///    connection holds it, and only the authenticator and `Bind` change that.
/// 5. The `attachment` of a connection is a `ConnectionIdentity`, and nobody else's.
public final class Authenticator: ServerInterceptor {
  /// The one answer to a call without a token, with an empty one, and with one that is wrong,
  /// expired or revoked.
  public static let unauthenticated = RPCError(
    .unauthenticated,
    "no valid token: send the metadata authorization: Bearer <token>, or bind the connection")

  private let store: TokenStore
  private let loop: ServerLoop
  private var table: TokenTable
  private var refusals: RefusalLog

  /// The authenticator of `loop`.
  public init(store: TokenStore, loop: ServerLoop, logger: Logger) {
    self.store = store
    self.loop = loop
    table = store.table
    refusals = RefusalLog(logger: logger)
  }

  /// Lets a call pass whose caller is known, and Ping and Bind, which need nobody.
  @inline(__always)
  public func intercept(_ call: inout InlineCall) -> Decision {
    if store.generation != table.generation { table = store.table }
    guard let attachment = call.unsafeConnectionAttachment,
      let caller = Unmanaged<ConnectionIdentity>.fromOpaque(attachment.toOpaque())
        ._withUnsafeGuaranteedRef({ trusted($0, call.metadata.first("authorization")) })
    else { return greet(&call) }
    call.attachment = caller
    return .proceed
  }

  /// Who calls, where the connection knows that already.
  @inline(__always)
  private func trusted(
    _ identity: ConnectionIdentity, _ header: UnsafeRawBufferPointer?
  ) -> Unmanaged<AnyObject>? {
    let nanos = loop.monotonicNanos
    guard let header else {
      let isTrusted = identity.bound.isTrusted(table.generation, atNanos: nanos)
      return isTrusted ? identity.bound.reference : nil
    }
    guard let token = BearerHeader.token(in: header), identity.own.matches(token),
      identity.own.isTrusted(table.generation, atNanos: nanos)
    else { return nil }
    return identity.own.reference
  }

  /// The long way: verifies what is new on the connection, or refuses.
  @inline(never)
  private func greet(_ call: inout InlineCall) -> Decision {
    let connection = call.connection
    do throws(TokenRefusal) {
      if let header = call.metadata.first("authorization") {
        guard let token = BearerHeader.token(in: header) else { throw .notABearer }
        call.attachment = try recognize(token, on: connection)
      } else {
        guard let identity = connection.attachment as? ConnectionIdentity else { throw .noToken }
        try identity.bound.recheck(table, now())
        call.attachment = identity.bound.reference
      }
      return .proceed
    } catch {
      if Self.needsNobody(call.method) { return .proceed }
      refusals.note(error, peer: "\(connection.peer)", atNanos: loop.monotonicNanos)
      return .refuse(Self.unauthenticated)
    }
  }

  /// The holder of a token that a call brought itself.
  private func recognize(
    _ token: UnsafeRawBufferPointer, on connection: ServerConnectionContext
  ) throws(TokenRefusal) -> Unmanaged<AnyObject>? {
    let time = now()
    if let identity = connection.attachment as? ConnectionIdentity, identity.own.matches(token) {
      try identity.own.recheck(table, time)
      return identity.own.reference
    }
    let principal = try table.verify(token, nowMillis: time.wallMillis)
    let identity = Self.identity(of: connection)
    identity.own = Credential(principal, token: token, table: table, time: time)
    return identity.own.reference
  }

  /// Binds a connection to the holder of `token`. A token that does not count unbinds it: what
  /// follows must not pass as somebody whom the caller meant to replace.
  func bind(
    _ connection: ServerConnectionContext, to token: UnsafeRawBufferPointer
  ) throws(TokenRefusal) -> Principal {
    if store.generation != table.generation { table = store.table }
    let time = now()
    do throws(TokenRefusal) {
      let principal = try table.verify(token, nowMillis: time.wallMillis)
      Self.identity(of: connection).bound = Credential(
        principal, token: token, table: table, time: time)
      return principal
    } catch {
      unbind(connection)
      refusals.note(error, peer: "\(connection.peer)", atNanos: loop.monotonicNanos)
      throw error
    }
  }

  /// From the next call on the connection is nobody's.
  func unbind(_ connection: ServerConnectionContext) {
    (connection.attachment as? ConnectionIdentity)?.bound = Credential()
  }

  private func now() -> AuthTime {
    AuthTime(nanos: loop.monotonicNanos, wallMillis: WallClock.nowMillis())
  }

  private static func identity(of connection: ServerConnectionContext) -> ConnectionIdentity {
    if let identity = connection.attachment as? ConnectionIdentity { return identity }
    let identity = ConnectionIdentity()
    connection.attachment = identity
    return identity
  }

  private static func needsNobody(_ method: MethodDescriptor) -> Bool {
    method == Admin.Methods.ping.descriptor || method == Auth.Methods.bind.descriptor
  }
}

/// The value of the metadata `authorization`, as RFC 6750 has it.
enum BearerHeader {
  /// What comes after `Bearer` and spaces, where the name's case does not matter; `nil` where the
  /// value is something else.
  @inline(__always)
  static func token(in header: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
    let schemeBytes = 7  // with one space
    guard header.count >= schemeBytes else { return nil }
    // "bearer " in little-endian order, and the bit that makes a letter lower-case.
    let low = header.loadUnaligned(as: UInt32.self) | 0x2020_2020
    let high = header.loadUnaligned(fromByteOffset: 3, as: UInt32.self) | 0x0020_2020
    guard low == 0x7261_6562, high == 0x2072_6572 else { return nil }
    var start = schemeBytes
    while start < header.count, header[start] == UInt8(ascii: " ") { start += 1 }
    return UnsafeRawBufferPointer(rebasing: header[start...])
  }
}
