"""Calls under one idempotency key are one call: it happens once and has one answer."""

from history import is_change, project, span_of


def changed_answer(call):
    return call.answer is not None and is_change(call)


def effective(calls, last_place):
    """What happened, as far as answers say: (call, span) pairs; and what contradicts.

    `last_place` is now, for calls that a running server has not answered.
    """
    single, groups, problems = [], {}, []
    for call in calls:
        key = call.idempotency_key
        if key:
            groups.setdefault(key, []).append(call)
        else:
            single.append((call, span(call, last_place)))
    for key, group in groups.items():
        single += merge(key, group, last_place, problems)
    return single, problems


def span(call, last_place):
    start, end, first_ms, last_ms = span_of(call)
    return (start, last_place, first_ms, first_ms) if end is None else span_of(call)


def merge(key, group, last_place, problems):
    answered = [call for call in group if changed_answer(call)]
    unknown = [call for call in group if call.is_unknown]
    others = [call for call in group if call not in answered and call not in unknown]
    pairs = [(call, span_of(call)) for call in others]
    if not answered:
        # A later answer that is no replay says that the earlier ones had no effect.
        last = max((call.start for call in others), default=0)
        return pairs + [
            (call, span(call, last_place)) for call in unknown if (call.end or last_place) > last]
    executed = [call for call in answered if not call.answer["replayed"]]
    if len(executed) > 1:
        problems.append(f"executed twice under one idempotency key {key}: " + "; ".join(
            str(call) for call in executed))
    first = (executed or answered)[0]
    for call in answered:
        if {**call.answer, "replayed": 0} != {**first.answer, "replayed": 0}:
            problems.append(f"a repetition has another answer: {first} and {call}")
    begin = min(group if not executed else executed, key=lambda call: call.start)
    end, last_ms = min((call.end, call.end_ms) for call in answered)
    if not executed and unknown:
        # It happened in the life of a call that has no answer.
        place, millis = max((call.end or last_place, call.end_ms or last_ms) for call in unknown)
        end, last_ms = min((end, last_ms), (place, millis))
    return pairs + [(first, (begin.start, end, begin.start_ms, last_ms))]


def by_key(pairs, last_place):
    """All that happened, by key: a dict from key to its KeyCalls."""
    keys = {}
    for call, when in pairs:
        for key, part in project(call, last_place, when):
            keys.setdefault(key, []).append(part)
    return keys
