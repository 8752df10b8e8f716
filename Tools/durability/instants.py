"""What holds of answers that show many keys: batch reads, transactions, scans and counts."""

import messages
from history import is_change
from keyspace import GROUP, GROWING, MORTAL, group_of

PUT, END = "put", "end"


class InstantChecker:
    """Kept through all rounds.

    1. `changes[key]` are the changes that answers told of: revision -> PUT or END.
    2. `most` is the greatest count of the growing keys that was shown.
    """

    def __init__(self):
        self.changes = {}
        self.created = 0      # growing keys whose creation was acknowledged, in earlier rounds
        self.maybe_created = 0  # those without an answer, in earlier rounds
        self.most = 0

    def check(self, pairs, keys):
        """`keys` are the round's KeyCalls by key. Yields what contradicts."""
        self.learn(keys)
        uncertain = {
            key for key, parts in keys.items()
            if any(part.optional and part.kind in ("delete", "pop") for part in parts)}
        for call, _ in pairs:
            if not call.answer:
                continue
            yield from self.check_groups(call)
            shown = dict(shown_by(call))
            is_instant = call.method != "Scan"
            if shown and not (call.method == "Transact" and is_change(call)):
                for key, entry in shown.items():
                    if key not in uncertain and not key.startswith(MORTAL):
                        yield from self.check_instant(call, key, entry, is_instant)
        yield from self.check_counts(pairs)
        for key, known in self.changes.items():
            if key in uncertain:
                known.clear()
            for revision in sorted(known)[:-1]:
                del known[revision]

    def learn(self, keys):
        for key, parts in keys.items():
            known = self.changes.setdefault(key, {})
            for part in parts:
                if part.optional or not part.answer or part.kind in ("get", "list_range"):
                    continue
                revision = part.answer.get("revision", 0)
                is_end = part.kind == "delete" or (
                    part.kind == "pop" and part.answer["length"] == 0)
                if revision:
                    known[revision] = END if is_end else PUT

    def check_instant(self, call, key, entry, is_instant):
        """An entry, or None, against the changes up to the answer's revision."""
        known = self.changes.get(key, {})
        at = call.answer["revision"]
        until = [revision for revision in known if revision <= at]
        last = max(until, default=0)
        if entry is not None:
            if is_instant and entry["revision"] > at:
                yield f"{key} is newer than the answer's instant {at}: {call}"
            if entry["revision"] < last:
                yield f"{key} was changed at {last} and is shown older: {call}"
            if known.get(entry["revision"]) == END:
                yield f"{key} is shown at the revision of its end: {call}"
        elif known.get(last) == PUT:
            later_end = any(kind == END and revision > at for revision, kind in known.items())
            if is_instant or not later_end:
                yield f"{key} was written at {last} and is missing at {at}: {call}"

    def check_groups(self, call):
        """The keys of a group are only written together."""
        if call.method == "Scan":
            return
        groups = {}
        for key, entry in shown_by(call):
            if key.startswith(GROUP):
                state = entry and (messages.plain(entry["value"]), entry["revision"])
                groups.setdefault(group_of(key), set()).add(state)
        for group, states in groups.items():
            if len(states) > 1:
                yield f"a transaction is there by half in {group}: {states}: {call}"

    def check_counts(self, pairs):
        """Growing keys are created once, and never deleted."""
        creations = [
            (span, call) for call, span in pairs
            if call.method == "Set" and call.request["key"].startswith(GROWING)
            and not call.error]
        counts = sorted(
            (span[1], span[0], call.answer["count"], call) for call, span in pairs
            if call.method == "Count" and call.answer
            and call.request["range"].get("prefix") == GROWING)
        ended = []
        for end, start, count, call in counts:
            before = self.most
            for earlier_end, earlier in ended:
                if earlier_end < start:
                    before = max(before, earlier)
            sure = self.created + sum(
                1 for span, each in creations
                if each.answer and not each.is_weak and span[1] < start)
            most = self.created + self.maybe_created + sum(
                1 for span, _ in creations if span[0] < end)
            if count < max(before, sure):
                yield f"{max(before, sure)} keys were there, {count} are counted: {call}"
            if count > most:
                yield f"at most {most} keys were written, {count} are counted: {call}"
            ended.append((end, count))
        self.most = max([self.most] + [count for _, count in ended])
        acknowledged = sum(1 for _, each in creations if each.answer and not each.is_weak)
        self.created += acknowledged
        self.maybe_created += len(creations) - acknowledged


def shown_by(call):
    """(key, entry or None) of what an answer shows of one instant or page."""
    if not call.answer:
        return
    if call.method == "BatchGet":
        for key, result in zip(call.request["keys"], call.answer["results"]):
            yield key, result["entry"] if result["found"] else None
    elif call.method == "Transact":
        steps = call.request["success"] if call.answer["succeeded"] else (
            call.request.get("failure", []))
        for step, result in zip(steps, call.answer["results"]):
            if "get" in step:
                answer = result["get"]
                yield step["get"]["key"], answer["entry"] if answer["found"] else None
    elif call.method == "Scan":
        yield from call.page()
