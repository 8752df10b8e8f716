import Testing

@testable import RoostServer

@Suite("Credentials")
struct AuthCredentialTests {
  let token: String
  let record: TokenRecord

  init() throws {
    (token, record) = try TokenRecord.make(
      name: "a", grants: [AccessGrant(.read)], createdAtMillis: 0, expiresAtMillis: 0)
  }

  private func table(
    _ records: [TokenRecord], generation: UInt64 = 1, after previous: TokenTable? = nil
  ) -> TokenTable {
    TokenTable(generation: generation, records: records, previous: previous) { _ in
      TokenUsage(lastUsedAtMillis: 0)
    }
  }

  private func credential(_ table: TokenTable, _ time: AuthTime) throws -> Credential {
    try withBytes(token) {
      Credential(
        try table.verify($0, nowMillis: time.wallMillis), token: $0, table: table, time: time)
    }
  }

  private func recheck(
    _ credential: inout Credential, _ table: TokenTable, _ time: AuthTime
  ) -> TokenRefusal? {
    do throws(TokenRefusal) {
      try credential.recheck(table, time)
      return nil
    } catch { return error }
  }

  @Test("A verified token is recognized by its text, and no other one is")
  func recognize() throws {
    let credential = try credential(table([record]), AuthTime(nanos: 5, wallMillis: 1_000))
    #expect(withBytes(token, credential.matches))
    let forged = TokenForger.sameID(as: token)
    #expect(!withBytes(forged, credential.matches))
    #expect(!withBytes(String(token.dropLast()), credential.matches))
    #expect(!withBytes(token + " ", credential.matches))
    #expect(!withBytes("", credential.matches))
    for index in 0..<64 {
      var bytes = Array(token.utf8)
      bytes[index] ^= 1
      #expect(!bytes.withUnsafeBytes(credential.matches))
    }
  }

  @Test("Nobody matches no token, not even one of zero bytes")
  func nobody() {
    let nobody = Credential()
    #expect(!nobody.isPresent && nobody.reference == nil)
    #expect(!nobody.isTrusted(0, atNanos: 0))
    #expect(![UInt8](repeating: 0, count: 64).withUnsafeBytes(nobody.matches))
  }

  @Test("Trust ends with the token, to the millisecond on the monotonic clock")
  func expiry() throws {
    var expiring = record
    expiring.expiresAtMillis = 1_005
    let table = table([expiring])
    var credential = try credential(table, AuthTime(nanos: 50, wallMillis: 1_000))
    #expect(credential.isTrusted(1, atNanos: 5_000_049))
    #expect(!credential.isTrusted(1, atNanos: 5_000_050))
    #expect(recheck(&credential, table, AuthTime(nanos: 1, wallMillis: 1_005)) == .expired)
    #expect(!credential.isPresent)
  }

  @Test("Another generation of tokens is not trusted before it was asked")
  func generations() throws {
    let first = table([record])
    let time = AuthTime(nanos: 0, wallMillis: 1_000)
    var credential = try credential(first, time)
    let holder = credential.holder
    let second = table([record], generation: 2, after: first)
    #expect(!credential.isTrusted(2, atNanos: 0))
    #expect(recheck(&credential, second, time) == nil)
    #expect(credential.isTrusted(2, atNanos: 0))
    #expect(credential.holder === holder)

    var widened = record
    widened.grants = [AccessGrant(.all)]
    let third = table([widened], generation: 3, after: second)
    #expect(recheck(&credential, third, time) == nil)
    #expect(credential.holder !== holder)
    #expect(credential.holder?.allows(.admin) == true)

    var reissued = widened
    reissued.digest = Array(repeating: 7, count: 32)
    #expect(recheck(&credential, table([reissued], generation: 4), time) == .unknownID)
    #expect(!credential.isPresent)
  }

  @Test("A use is noted at once and then now and then")
  func usage() throws {
    let table = table([record])
    var credential = try credential(table, AuthTime(nanos: 0, wallMillis: 1_000))
    let holder = try #require(credential.holder)
    #expect(holder.lastUsedAtMillis == 1_000)
    #expect(credential.isTrusted(1, atNanos: Credential.recheckNanos - 1))
    #expect(!credential.isTrusted(1, atNanos: Credential.recheckNanos))
    let later = AuthTime(nanos: Credential.recheckNanos, wallMillis: 11_000)
    #expect(recheck(&credential, table, later) == nil)
    #expect(holder.lastUsedAtMillis == 11_000)
    #expect(credential.isTrusted(1, atNanos: Credential.recheckNanos))
  }

  @Test("Times far away do not overflow")
  func farTimes() {
    let time = AuthTime(nanos: .max - 5, wallMillis: 1_000)
    #expect(time.nanos(ofMillis: 0) == .max)
    #expect(time.nanos(ofMillis: .max) == .max)
    #expect(time.nanos(ofMillis: 2_000) == .max)
    #expect(time.nanos(ofMillis: 999) == UInt64.max - 5)
    #expect(time.nanos(ofMillis: .min) == UInt64.max - 5)
    #expect(AuthTime(nanos: 7, wallMillis: 1).nanos(ofMillis: 3) == 2_000_007)
  }

  @Test("Refused calls fill a window of the log, and what is over it is counted")
  func refusalLog() {
    let recorder = LogRecorder()
    var log = RefusalLog(logger: recorder.logger)
    for _ in 0..<25 { log.note(.noToken, peer: "tcp://h:1", atNanos: 0) }
    #expect(recorder.lines.count == RefusalLog.linesPerWindow)
    log.note(.wrongSecret, peer: "tcp://h:2", atNanos: RefusalLog.windowNanos)
    #expect(
      recorder.lines.last
        == "notice unauthenticated call more=15 peer=tcp://h:2 reason=wrong secret")
    log.note(.expired, peer: "unix", atNanos: RefusalLog.windowNanos + 1)
    #expect(recorder.lines.last == "notice unauthenticated call peer=unix reason=expired token")
  }
}
