import SwiftProtobufPluginLibrary

/// No message may contain itself, directly or through others: libprotobuf-c decodes recursively
/// without a depth limit, so 29 KB from a peer would overflow the stack.
struct RecursionRule {
  let files: [FileDescriptor]
  private var finished: Set<String> = []
  private var path: [FieldDescriptor] = []
  private var violations: [Violation] = []

  init(files: [FileDescriptor]) { self.files = files }

  mutating func check() -> [Violation] {
    for message in files.flatMap(\.messages) { visitAll(message) }
    return violations
  }

  private mutating func visitAll(_ message: Descriptor) {
    visit(message)
    for inner in message.messages { visitAll(inner) }
  }

  private mutating func visit(_ message: Descriptor) {
    guard !finished.contains(message.fullName) else { return }
    for field in message.fields {
      guard let type = field.messageType else { continue }
      path.append(field)
      if let start = path.firstIndex(where: { $0.containingType === type }) {
        report(cycle: Array(path[start...]), of: type)
      } else {
        visit(type)
      }
      path.removeLast()
    }
    finished.insert(message.fullName)
  }

  private mutating func report(cycle: [FieldDescriptor], of type: Descriptor) {
    let closing = cycle.last!
    let way = cycle.map(\.fullName).joined(separator: " -> ")
    violations.append(
      Violation(
        file: closing.file.name, line: closing.line,
        problem: "message `\(type.fullName)` contains itself (\(way)): libprotobuf-c has no "
          + "depth limit",
        wayOut: "refer to the inner one by an ID, flatten the tree into a `repeated` field, or "
          + "carry it encoded in a `bytes` field"))
  }
}
