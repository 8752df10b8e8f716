import ProtobufC
import RoostStore
import TTRPC

/// A command that may carry an idempotency key.
protocol TicketedCommand {
  /// The method, as its part of a request's fingerprint. It never changes: fingerprints are kept.
  static var method: StaticString { get }
  var ticket: UnsafePointer<AnswerTicket>? { get }
}

extension SetCommand: TicketedCommand {
  static var method: StaticString { "Set" }
  @inline(__always) var ticket: UnsafePointer<AnswerTicket>? { flags.ticket }
}

extension DeleteCommand: TicketedCommand {
  static var method: StaticString { "Delete" }
  var ticket: UnsafePointer<AnswerTicket>? { flags.ticket }
}

extension IncrementCommand: TicketedCommand {
  static var method: StaticString { "Increment" }
  var ticket: UnsafePointer<AnswerTicket>? { flags.ticket }
}

extension TouchCommand: TicketedCommand {
  static var method: StaticString { "Touch" }
  var ticket: UnsafePointer<AnswerTicket>? { flags.ticket }
}

extension PushCommand: TicketedCommand {
  static var method: StaticString { "Push" }
  var ticket: UnsafePointer<AnswerTicket>? { flags.ticket }
}

extension PopCommand: TicketedCommand {
  static var method: StaticString { "Pop" }
  var ticket: UnsafePointer<AnswerTicket>? { flags.ticket }
}

extension TransactCommand: TicketedCommand {
  static var method: StaticString { "Transact" }
}

extension DeleteRangeCommand: TicketedCommand {
  static var method: StaticString { "DeleteRange" }
}

extension TicketedCommand {
  /// Fills in the command's ticket, where it has one: the call was allowed.
  @inline(__always)
  func completeTicket(_ call: borrowing InlineCall) {
    if let ticket { ticket.complete(Self.method, call.payload, owner: call.tokenID) }
  }
}

extension UnsafePointer<AnswerTicket> {
  /// Fills in what reading the request left open.
  /// - Parameter owner: valid until the command is answered.
  @inline(never)
  func complete(
    _ method: StaticString, _ payload: UnsafeRawBufferPointer, owner: UnsafeRawBufferPointer
  ) {
    var hash = SHA256()
    hash.update(
      UnsafeRawBufferPointer(start: method.utf8Start, count: method.utf8CodeUnitCount))
    withUnsafeBytes(of: UInt8(0)) { hash.update($0) }
    hash.update(payload)
    // It is in the call's arena, which handed it out to be written.
    let ticket = UnsafeMutablePointer(mutating: self)
    ticket.pointee.fingerprint = hash.finish().span.withUnsafeBufferPointer {
      AnswerFingerprint($0)
    }
    ticket.pointee.owner = owner
  }
}

extension InlineCall {
  /// The ID of the caller's token; empty without authentication. Valid for the tick.
  var tokenID: UnsafeRawBufferPointer {
    guard let attachment else { return UnsafeRawBufferPointer(start: nil, count: 0) }
    return attachment._withUnsafeGuaranteedRef {
      unsafeDowncast($0, to: Principal.self).tokenIDBytes
    }
  }
}
