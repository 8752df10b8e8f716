import RoostAPI

/// Writes the outcome of a transaction and of each of its steps.
struct TransactionPrinter {
  private let presentation: Presentation

  init(_ presentation: Presentation) { self.presentation = presentation }

  /// - Parameter request: Gives the steps' keys, which the answer does not repeat.
  func rendered(_ request: TransactRequest, _ response: TransactResponse) -> [UInt8] {
    let steps = response.succeeded ? request.success : request.failure
    let pairs = Array(zip(steps, response.results))
    switch presentation.format {
    case .simple, .raw: return Array(simple(pairs, response).utf8)
    case .json: return json(pairs, response)
    case .table: return Array(table(pairs, response).utf8)
    }
  }

  private func outcome(_ response: TransactResponse) -> String {
    response.succeeded ? "succeeded" : "failed"
  }

  /// The outcome and the revision, then for each step its name, key and result, with tabs.
  private func simple(
    _ steps: [(Operation, OperationResult)], _ response: TransactResponse
  ) -> String {
    var text = "\(outcome(response))\t\(response.revision)\n"
    for (step, result) in steps {
      let fields = ["\(step.name)", presentation.cell(step.key)] + cells(result)
      text += fields.joined(separator: "\t") + "\n"
    }
    return text
  }

  private func table(
    _ steps: [(Operation, OperationResult)], _ response: TransactResponse
  ) -> String {
    var table = TextTable(
      [.init("STEP", .right), .init("OPERATION"), .init("KEY"), .init("RESULT")],
      maxLineColumns: presentation.lineColumns)
    for (index, (step, result)) in steps.enumerated() {
      table.append([
        String(index + 1), "\(step.name)", presentation.cell(step.key),
        cells(result).joined(separator: ", "),
      ])
    }
    let head =
      response.succeeded
      ? "succeeded at revision \(response.revision)\n" : "a condition did not hold\n"
    return head + (steps.isEmpty ? "" : table.rendered(style: presentation.style))
  }

  private func cells(_ result: OperationResult) -> [String] {
    switch result.kind {
    case .get(let response):
      response.found ? response.entry.map(presentation.cells) ?? [] : ["(not found)"]
    case .set(let response): [response.created ? "created" : "replaced"]
    case .delete(let response): [response.deleted ? "deleted" : "(not found)"]
    case .increment(let response): [String(response.value)]
    case .push(let response): ["length \(response.length)"]
    case .pop(let response):
      response.items.isEmpty ? ["(not found)"] : response.items.map(presentation.cell)
    case nil: ["(unknown)"]
    }
  }

  private func json(
    _ steps: [(Operation, OperationResult)], _ response: TransactResponse
  ) -> [UInt8] {
    var json = JSONWriter()
    json.object { json in
      json.name("succeeded")
      json.bool(response.succeeded)
      json.name("revision")
      json.integer(response.revision)
      json.name("results")
      json.array { json in
        for (step, result) in steps {
          json.object { json in
            json.name("op")
            json.string("\(step.name)")
            json.key(step.key, isHex: presentation.isHex)
            member(result, &json)
          }
        }
      }
    }
    return json.bytes + [0x0a]
  }

  private func member(_ result: OperationResult, _ json: inout JSONWriter) {
    switch result.kind {
    case .get(let response):
      json.name("found")
      json.bool(response.found)
      if let entry = response.entry, response.found { json.entry(entry, isHex: presentation.isHex) }
    case .set(let response):
      json.name("created")
      json.bool(response.created)
    case .delete(let response):
      json.name("deleted")
      json.bool(response.deleted)
    case .increment(let response):
      json.name("value")
      json.integer(response.value)
    case .push(let response):
      json.name("length")
      json.integer(response.length)
    case .pop(let response):
      json.name("items")
      json.items(response.items, isHex: presentation.isHex)
      json.name("length")
      json.integer(response.length)
    case nil: break
    }
  }
}

extension Operation {
  /// The name of the command that does the same.
  var name: StaticString {
    switch kind {
    case .get: "get"
    case .set: "set"
    case .delete: "del"
    case .increment: "incr"
    case .push: "push"
    case .pop: "pop"
    case nil: "unknown"
    }
  }

  var key: [UInt8] {
    switch kind {
    case .get(let request): request.key
    case .set(let request): request.key
    case .delete(let request): request.key
    case .increment(let request): request.key
    case .push(let request): request.key
    case .pop(let request): request.key
    case nil: []
    }
  }
}
