import CRoostProtos
import ProtobufC
import RoostStore

/// A checked Scan request. Trivial: it lives in the arena and borrows from there.
struct ScanPlan {
  var range: KeyRangeRef
  var patternKind: KeyPattern.Kind?
  /// Empty where there is no `patternKind`.
  var pattern: UnsafeRawBufferPointer
  var keysOnly: Bool
  var reverse: Bool
  var pageSize: Int
  /// Where the page token goes on.
  var resumeAfter: UnsafeRawBufferPointer?

  init(_ payload: UnsafeRawBufferPointer, _ scope: StoreScope) throws(RequestError) {
    let request = try scope.decode(
      payload, roost__v1__scan_request__descriptor_address(), as: Roost__V1__ScanRequest.self)
    range = try scope.readRange(request.pointee.range)
    pattern = request.pointee.pattern.bytes
    patternKind = try Self.readKind(request.pointee.match_kind, pattern)
    keysOnly = request.pointee.keys_only != 0
    reverse = request.pointee.reverse != 0
    let maxPageSize = Int64(RequestLimits.maxPageSize)
    try scope.check(request.pointee.page_size, is: "page_size", in: 0...maxPageSize)
    let size = Int(request.pointee.page_size)
    pageSize = size == 0 ? RequestLimits.defaultPageSize : size
    let token = request.pointee.page_token.bytes
    if !token.isEmpty { resumeAfter = try tokens.position(of: token) }
  }

  private static func readKind(
    _ kind: Roost__V1__MatchKind, _ pattern: UnsafeRawBufferPointer
  ) throws(RequestError) -> KeyPattern.Kind? {
    let found: KeyPattern.Kind
    switch kind {
    case ROOST__V1__MATCH_KIND__MATCH_KIND_UNSPECIFIED:
      if !pattern.isEmpty { throw .patternWithoutKind }
      return nil
    case ROOST__V1__MATCH_KIND__MATCH_KIND_GLOB: found = .glob
    case ROOST__V1__MATCH_KIND__MATCH_KIND_REGEX: found = .regex
    default: throw .unknownMatchKind(Int64(Int32(bitPattern: kind.rawValue)))
    }
    if pattern.isEmpty { throw .emptyPattern }
    if pattern.count > RequestLimits.maxPatternBytes {
      throw .patternTooLong(bytes: pattern.count, limit: RequestLimits.maxPatternBytes)
    }
    return found
  }

  /// The page tokens of this scan.
  var tokens: PageToken {
    PageToken(
      range: range, matchKind: patternKind?.rawValue ?? UInt8.max, pattern: pattern,
      reverse: reverse)
  }

  /// The engine's command for the whole page.
  func command(_ pattern: KeyPattern?) -> ScanCommand {
    var command = ScanCommand(range: range)
    command.pattern = pattern
    command.keysOnly = keysOnly
    command.reverse = reverse
    command.pageSize = pageSize
    command.maxExamined = RequestLimits.maxExaminedPerPage
    command.maxPageBytes = RequestLimits.maxPageBytes
    command.resumeAfter = resumeAfter
    return command
  }
}

extension ReplyArena {
  func message(scan page: ScanResult, _ tokens: @autoclosure () -> PageToken) -> ReplyMessage {
    let message = make(roost__v1__scan_response__init)
    message.pointee.examined = Int64(page.examined)
    message.pointee.revision = page.revision
    var maxBytes = ReplyMessage.fixedBytes
    let entries = makeArray(
      of: UnsafeMutablePointer<Roost__V1__Entry>?.self, count: page.entries.count)
    for (index, entry) in page.entries.enumerated() {
      (entries + index).initialize(to: entry.message(in: self))
      maxBytes += entry.maxEncodedBytes
    }
    message.pointee.n_entries = page.entries.count
    message.pointee.entries = entries
    if let position = page.resumeAfter {
      let token = tokens().token(after: position, in: self)
      message.pointee.next_page_token = .init(token)
      maxBytes += token.count
    }
    return ReplyMessage(message, maxBytes: maxBytes)
  }
}
