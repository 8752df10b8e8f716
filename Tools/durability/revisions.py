"""What holds of revisions over all keys: none is issued twice, they follow real time, and one
revision of a key has one content, before and after a kill."""

import messages
from history import is_change
from keymodel import REVISION_IN_TEXT

# Where a lifetime's end was computed from two clocks, it may be a few milliseconds off.
ENDS_SLACK_MS = 50
# Answers whose own revision is the store's.
OF_STORE = ("BatchGet", "Scan", "Count", "Status")


class RevisionLedger:
    """Kept through all rounds. `highest` is the greatest revision that any answer has shown."""

    def __init__(self):
        self.highest = 0
        self.highest_durable = 0  # shown by an answer that had to wait for the log
        self.contents = {}        # key -> {revision: content}

    def check(self, pairs):
        """Walks through what happened in one round; yields what contradicts."""
        yield from self.check_owners(pairs)
        yield from self.check_order(pairs)
        for call, _ in pairs:
            yield from self.check_contents(call)
        for key, known in self.contents.items():
            for revision in sorted(known)[:-2]:
                del known[revision]

    def check_owners(self, pairs):
        owners = {}
        for call, _ in pairs:
            if not is_change(call):
                continue
            other = owners.setdefault(call.answer["revision"], call)
            if other is not call:
                yield f"a revision was issued twice: {other} and {call}"

    def check_order(self, pairs):
        events = []
        for place, (call, span) in enumerate(pairs):
            events.append((span[0], 0, place))
            if not call.is_unknown:
                events.append((span[1], 1, place))
        floors = {}
        for _, is_end, place in sorted(events):
            call = pairs[place][0]
            if not is_end:
                floors[place] = (self.highest, self.highest_durable)
                continue
            highest, durable = floors.pop(place)
            if is_change(call) and call.answer["revision"] <= highest:
                yield f"its revision is not above {highest}, which was shown before: {call}"
            of_store = call.method in OF_STORE or (
                call.method == "Transact" and call.answer and not is_change(call))
            if of_store and call.answer and call.answer["revision"] < durable:
                yield f"the store's revision went back behind {durable}: {call}"
            shown = max(revisions_in(call), default=0)
            self.highest = max(self.highest, shown)
            if not call.is_weak:
                self.highest_durable = max(self.highest_durable, shown)

    def check_contents(self, call):
        for key, entry in entries_in(call):
            known = self.contents.setdefault(key, {})
            content = content_of(entry)
            before = known.setdefault(entry["revision"], content)
            if not agree(before, content):
                yield f"{key} at one revision was {before}, then {content}: {call}"
            elif before[0] is None:
                known[entry["revision"]] = content


def content_of(entry):
    return (
        messages.plain(entry["value"]), entry["create_revision"], entry["version"],
        entry["created_at_ms"], entry["updated_at_ms"], entry["expires_at_ms"])


def agree(one, other):
    values_agree = one[0] is None or other[0] is None or one[0] == other[0]
    return values_agree and one[1:5] == other[1:5] and abs(one[5] - other[5]) <= ENDS_SLACK_MS


def entries_in(call):
    """(key, entry) of all entries that an answer shows as they are now."""
    if not call.answer:
        return
    if call.method == "Get" and call.answer["found"]:
        yield call.request["key"], call.answer["entry"]
    elif call.method == "BatchGet":
        for key, result in zip(call.request["keys"], call.answer["results"]):
            if result["found"]:
                yield key, result["entry"]
    elif call.method == "Scan":
        for entry in call.answer["entries"]:
            yield entry["key"], entry


def revisions_in(call):
    """All revisions that an answer shows, an error's text included."""
    if call.error:
        found = REVISION_IN_TEXT.search(call.error[1])
        return [int(found.group(1))] if call.error[0] == "ABORTED" and found else []
    found = []
    collect(call.answer, found)
    return found


def collect(part, found):
    if isinstance(part, dict):
        for name, value in part.items():
            if name == "revision":
                found.append(value)
            elif isinstance(value, (dict, list)):
                collect(value, found)
    elif isinstance(part, list):
        for item in part:
            collect(item, found)
