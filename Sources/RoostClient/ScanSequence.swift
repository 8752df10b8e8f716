import RoostAPI
import TTRPC

extension RoostClient {
  /// Which keys of a range a scan returns.
  public enum Pattern: Sendable, Hashable {
    /// `*`, `?`, `[a-z]` and `\x`, over the whole key.
    case glob(String)
    /// A regular expression, anywhere in the key; matching takes linear time.
    case regex(String)

    var kind: MatchKind {
      switch self {
      case .glob: return .glob
      case .regex: return .regex
      }
    }

    var bytes: [UInt8] {
      switch self {
      case .glob(let text), .regex(let text): return Array(text.utf8)
      }
    }
  }

  /// The keys of a range with their values, in byte order, read a page at a time.
  ///
  /// A key that is there for the whole scan is returned exactly once; one that comes or goes
  /// meanwhile, at most once.
  /// - Parameters:
  ///   - pattern: only keys that match.
  ///   - reverse: from the last key to the first.
  ///   - pageSize: keys in one call, 1 to 10,000; the server's default is 100.
  public func scan<Value: RoostValueConvertible>(
    _ range: KeyRange = .all, matching pattern: Pattern? = nil, reverse: Bool = false,
    pageSize: Int? = nil, as type: Value.Type = Value.self
  ) -> ScanSequence<Value> {
    let coding = ValueCoding<Value>.native
    return ScanSequence(self, Self.request(range, pattern, reverse, pageSize), coding)
  }

  /// The same for values that are kept as JSON.
  @_disfavoredOverload
  public func scan<Value: Codable & Sendable>(
    _ range: KeyRange = .all, matching pattern: Pattern? = nil, reverse: Bool = false,
    pageSize: Int? = nil, as type: Value.Type = Value.self
  ) -> ScanSequence<Value> {
    ScanSequence(self, Self.request(range, pattern, reverse, pageSize), .json)
  }

  /// The keys of a range without their values.
  public func scanKeys(
    _ range: KeyRange = .all, matching pattern: Pattern? = nil, reverse: Bool = false,
    pageSize: Int? = nil
  ) -> ScanSequence<Void> {
    var request = Self.request(range, pattern, reverse, pageSize)
    request.keysOnly = true
    return ScanSequence(self, request, nil)
  }

  private static func request(
    _ range: KeyRange, _ pattern: Pattern?, _ reverse: Bool, _ pageSize: Int?
  ) -> ScanRequest {
    ScanRequest(
      range: range.message, matchKind: pattern?.kind ?? .unspecified,
      pattern: pattern?.bytes ?? [], reverse: reverse, pageSize: Int64(pageSize ?? 0))
  }

  /// What `scan` gives: entries, as they are asked for.
  public struct ScanSequence<Value: Sendable>: AsyncSequence, Sendable {
    public typealias Element = Entry<Value>
    public typealias Failure = RoostError

    private let client: RoostClient
    private let request: ScanRequest
    /// `nil`: values are not asked for, and `Value` is `Void`.
    private let coding: ValueCoding<Value>?

    init(_ client: RoostClient, _ request: ScanRequest, _ coding: ValueCoding<Value>?) {
      self.client = client
      self.request = request
      self.coding = coding
    }

    /// From the first page on.
    public func makeAsyncIterator() -> AsyncIterator {
      AsyncIterator(client: client, request: request, coding: coding)
    }

    /// Holds one page.
    public struct AsyncIterator: AsyncIteratorProtocol {
      let client: RoostClient
      var request: ScanRequest
      let coding: ValueCoding<Value>?
      private var page: [RoostAPI.Entry] = []
      private var position = 0
      private var isLastPage = false

      init(client: RoostClient, request: ScanRequest, coding: ValueCoding<Value>?) {
        self.client = client
        self.request = request
        self.coding = coding
      }

      /// The next entry; `nil`: that was the last.
      /// - Throws: `RoostError`. After it the scan cannot go on.
      public mutating func next() async throws -> Entry<Value>? {
        try await next(isolation: nil)
      }

      /// The next entry; `nil`: that was the last.
      /// - Throws: `RoostError`. After it the scan cannot go on.
      public mutating func next(
        isolation actor: isolated (any Actor)?
      ) async throws(RoostError) -> Entry<Value>? {
        while true {
          while position < page.count {
            let message = page[position]
            position += 1
            if let entry = try await Self.entry(message, client, coding) { return entry }
          }
          // A page may be empty while there is a next one.
          if isLastPage { return nil }
          let response = try await Self.page(client, request)
          page = response.entries
          position = 0
          isLastPage = response.nextPageToken.isEmpty
          request.pageToken = response.nextPageToken
        }
      }

      // Static: the iterator stays where its caller is.
      private static func page(
        _ client: RoostClient, _ request: ScanRequest
      ) async throws(RoostError) -> ScanResponse {
        try await client.call { (kv, options) async throws(RPCError) in
          try await kv.scan(request, options: options)
        }
      }

      /// - Returns: `nil`: its value did not fit the page, and the key is gone meanwhile.
      private static func entry(
        _ message: RoostAPI.Entry, _ client: RoostClient, _ coding: ValueCoding<Value>?
      ) async throws(RoostError) -> Entry<Value>? {
        let key = RoostKey(message.key)
        guard let coding else {
          // Only `scanKeys` has no coding, and its `Value` is `Void`.
          return Entry(message, key: key, value: () as! Value)
        }
        return message.valueOmitted
          ? try await client.read(key, coding) : try message.decoded(key, coding)
      }
    }
  }
}
