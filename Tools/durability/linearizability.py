"""Is a history of one key, kills included, linearizable?

Wing and Gong's search, in the just-in-time form of Lowe ("Testing for linearizability", 2017):
the calls are walked through by time, with the set of all configurations that agree with the
answers so far. A configuration is a state and those of the calls under way that have taken effect
in it; equal ones are met once. A call is made to take effect only when its answer is reached. One
without an answer may take effect until the kill, or never.
"""

MAX_CONFIGURATIONS = 60_000


class TooComplex(Exception):
    """There are more configurations than the limit: the check says nothing of this key."""


class Violation(Exception):
    """No order of the calls explains an answer. `call` is the first such one."""

    def __init__(self, call, states):
        self.call = call
        self.states = states
        shown = "; ".join(str(tuple(state)) for state in list(states)[:3])
        super().__init__(f"{call.call} cannot be: the key was {shown}")


def check_key(model, states, calls):
    """Walks through the calls of one key. Returns the states that it can be in at the end.

    `states` are those that it can be in before. Raises `Violation` and `TooComplex`.
    """
    events = []
    for number, call in enumerate(calls):
        events.append((call.start, 0, number))
        events.append((call.end, 1, number))
    events.sort()
    under_way = {}
    configurations = {(state, frozenset()) for state in states}
    for _, is_end, number in events:
        call = calls[number]
        if not is_end:
            under_way[number] = call
            continue
        reached = reach(model, configurations, under_way, number)
        if call.optional:
            reached |= {each for each in configurations if number not in each[1]}
        if not reached:
            raise Violation(call, {state for state, _ in configurations})
        del under_way[number]
        configurations = {(state, done - {number}) for state, done in reached}
    return {state for state, _ in configurations}


def reach(model, configurations, under_way, number):
    """All configurations in which a call has taken effect, from those before its answer."""
    reached = set()
    met = set()
    waiting = [take_reads(model, each, under_way) for each in configurations]
    while waiting:
        configuration = waiting.pop()
        if configuration in met:
            continue
        met.add(configuration)
        if len(met) > MAX_CONFIGURATIONS:
            raise TooComplex()
        state, done = configuration
        if number in done:
            reached.add(configuration)
            continue
        for other, call in under_way.items():
            if other not in done:
                for after in model.apply(state, call):
                    waiting.append(
                        take_reads(model, (after, done | {other}), under_way))
    return reached


def take_reads(model, configuration, under_way):
    """A read that agrees with the state and adds nothing to it is best made at once."""
    state, done = configuration
    taken = [
        number for number, call in under_way.items()
        if call.is_read and number not in done and model.apply(state, call) == [state]]
    return (state, done | frozenset(taken)) if taken else configuration
