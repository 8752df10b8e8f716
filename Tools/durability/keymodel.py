"""What a single key is by the API's definition, as far as answers have told.

A state is what the key holds after some sequence of calls. A call without an answer leaves the
revision that it got unknown: then only a lower bound is known, until an answer shows it. A
lifetime that began inside of a call is an interval until an answer shows its end.
"""

import re
from typing import NamedTuple

import messages

REVISION_IN_TEXT = re.compile(r"revision (?:is )?(\d+)")


class State(NamedTuple):
    value: object            # None: absent
    revision: int            # for an absent key of what ended it, at least
    is_exact: bool           # else the revision is above `revision`
    created: int
    created_is_exact: bool
    version: int
    ends_first: int          # Unix ms; 0: never
    ends_last: int


def absent(revision=0):
    return State(None, revision, False, 0, False, 0, 0, 0)


class KeyModel:
    """`slack_ms` is by how much clocks that are read at different places may differ."""

    def __init__(self, slack_ms=250):
        self.slack_ms = slack_ms

    def apply(self, state, call):
        """The states after a call, each one that agrees with its answer; none: it cannot be."""
        after = []
        for view in self.views(state, call):
            after += getattr(self, call.kind)(view, call)
        return after

    def views(self, state, call):
        """The state as the call may have found it: with or without the key's expiry."""
        if state.value is None or not state.ends_last:
            return [state]
        if call.last_ms < state.ends_first - self.slack_ms:
            return [state]
        gone = absent(state.revision)
        if call.first_ms > state.ends_last + self.slack_ms:
            return [gone]
        return [state, gone]

    # Reads.

    def get(self, state, call):
        answer = call.answer
        if not answer["found"]:
            return [state] if state.value is None else []
        if state.value is None:
            return []
        return self.match(state, answer["entry"], call.request.get("keys_only", False))

    def list_range(self, state, call):
        answer = call.answer
        if not answer["found"] or state.value is None:
            return [state] if state.value is None and not answer["found"] else []
        if tuple(answer["items"]) != state.value or answer["length"] != len(state.value):
            return []
        return bind(state, answer["revision"])

    def match(self, state, entry, keys_only):
        """The state, with what an entry of an answer says of it."""
        if not keys_only and messages.plain(entry["value"]) != state.value:
            return []
        if entry["version"] != state.version:
            return []
        revision, created = entry["revision"], entry["create_revision"]
        if state.created_is_exact and created != state.created:
            return []
        if created < state.created or created > revision:
            return []
        if (state.version == 1) != (created == revision):
            return []
        ends = entry["expires_at_ms"]
        if (ends == 0) != (state.ends_last == 0):
            return []
        if ends:
            if not state.ends_first - self.slack_ms <= ends <= state.ends_last + self.slack_ms:
                return []
        return [
            known._replace(
                created=created, created_is_exact=True, ends_first=ends, ends_last=ends)
            for known in bind(state, revision)]

    def compare(self, state, call):
        holds = call.request["holds"]
        return [known for code, known in check(state, call.request["condition"])
                if (code is None) == holds]

    # Writes.

    def set(self, state, call):
        after = []
        for code, known in check(state, call.request.get("condition")):
            if code or call.error:
                after += refused(known, code, call.error)
                continue
            value = messages.plain(messages.VALUE.decode(
                messages.VALUE.encode(call.request["value"])))
            for before in self.previous(known, call):
                if call.answer and call.answer["created"] != (before.value is None):
                    continue
                after += self.write(before, value, call, keeps=False)
        return after

    def previous(self, state, call):
        options = call.request.get("options") or {}
        if not options.get("return_previous") or not call.answer:
            return [state]
        entry = call.answer["previous"]
        if entry is None or state.value is None:
            return [state] if entry is None and state.value is None else []
        return self.match(state, entry, False)

    def delete(self, state, call):
        after = []
        for code, known in check(state, call.request.get("condition")):
            if code or call.error:
                after += refused(known, code, call.error)
                continue
            for before in self.previous(known, call):
                if call.answer and call.answer["deleted"] != (before.value is not None):
                    continue
                after += end(before, call)
        return after

    def increment(self, state, call):
        if call.error:
            return []
        base = call.request.get("initial", 0) if state.value is None else state.value
        value = base + call.request["delta"]
        if call.answer and call.answer["value"] != value:
            return []
        return self.write(state, value, call, keeps=True)

    def touch(self, state, call):
        if call.error:
            return []
        if state.value is None:
            return [state] if not call.answer or not call.answer["found"] else []
        if call.answer and not call.answer["found"]:
            return []
        after = self.write(state, state.value, call, keeps=False)
        if call.answer is None:
            return after
        ends = call.answer["expires_at_ms"]
        return [
            known._replace(ends_first=ends, ends_last=ends) for known in after
            if known.ends_first - self.slack_ms <= ends <= known.ends_last + self.slack_ms
            and (ends == 0) == (known.ends_last == 0)]

    def push(self, state, call):
        request = call.request
        if state.value is None and request.get("must_exist"):
            return refused(state, "NOT_FOUND", call.error)
        if call.error:
            return []
        value = state.value or ()
        at_front = request.get("end") == messages.FRONT
        items = tuple(request["items"])
        value = items[::-1] + value if at_front else value + items
        limit = request.get("max_length", 0)
        if limit and len(value) > limit:
            value = value[:limit] if at_front else value[-limit:]
        if call.answer and call.answer["length"] != len(value):
            return []
        return self.write(state, value, call, keeps=True)

    def pop(self, state, call):
        if call.error:
            return []
        if state.value is None:
            return [state] if not call.answer or not call.answer["items"] else []
        count = min(call.request.get("count", 0) or 1, len(state.value))
        if call.request.get("end") == messages.FRONT:
            items, left = state.value[:count], state.value[count:]
        else:
            cut = len(state.value) - count
            items, left = state.value[cut:][::-1], state.value[:cut]
        answer = call.answer
        if answer and (tuple(answer["items"]) != items or answer["length"] != len(left)):
            return []
        return self.write(state, left, call, keeps=True) if left else end(state, call)

    def write(self, state, value, call, keeps):
        """The states after a change; `keeps`: without an expiration the lifetime stays."""
        revision, is_exact = next_revision(state, call)
        if revision is None:
            return []
        is_new = state.value is None
        expiration = call.request.get("expiration")
        ends = (state.ends_first, state.ends_last) if keeps and not is_new else (0, 0)
        if expiration and "ttl_ms" in expiration:
            ttl = expiration["ttl_ms"]
            ends = (call.first_ms + ttl, call.last_ms + ttl)
        elif expiration and "at_ms" in expiration:
            ends = (expiration["at_ms"], expiration["at_ms"])
        return [State(
            value, revision, is_exact,
            revision if is_new else state.created,
            is_exact if is_new else state.created_is_exact,
            1 if is_new else state.version + 1, *ends)]


def check(state, condition):
    """Whether a condition holds: (code or None, the state where that is so) for each way."""
    if condition is None:
        return [(None, state)]
    if condition.get("exists") is False:
        return [(None if state.value is None else "ALREADY_EXISTS", state)]
    if state.value is None:
        return [("NOT_FOUND", state)]
    if condition.get("exists"):
        return [(None, state)]
    if condition.get("revision") is not None:
        wanted = condition["revision"]
        if state.is_exact:
            return [(None if wanted == state.revision else "ABORTED", state)]
        return [(None, known) for known in bind(state, wanted)] + [("ABORTED", state)]
    wanted = messages.plain(messages.VALUE.decode(messages.VALUE.encode(condition["value"])))
    return [(None if wanted == state.value else "ABORTED", state)]


def refused(state, code, error):
    """The state after a call that its condition stopped, where the answer says just that."""
    if code is None or (error and error[0] != code):
        return []
    if error is None:
        return []
    shown = REVISION_IN_TEXT.search(error[1])
    return bind(state, int(shown.group(1))) if code == "ABORTED" and shown else [state]


def bind(state, revision):
    """The state with its revision known, if it can be this one."""
    if state.is_exact:
        return [state] if state.revision == revision else []
    if revision <= state.revision:
        return []
    if state.version == 1:
        state = state._replace(created=revision, created_is_exact=True)
    return [state._replace(revision=revision, is_exact=True)]


def next_revision(state, call):
    """The revision after a change, and whether it is known; None: the answer's is too low."""
    if call.answer is None:
        return state.revision, False
    revision = call.answer["revision"]
    return (revision, True) if revision > state.revision else (None, False)


def end(state, call):
    """The states after a deletion, by whatever call."""
    if state.value is None:
        return [state] if call.answer is None or call.answer["revision"] == 0 else []
    revision, _ = next_revision(state, call)
    return [] if revision is None else [absent(revision)]
