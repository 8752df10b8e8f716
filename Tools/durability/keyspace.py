"""The keys of the workload: few enough that clients meet at them, each prefix with one use."""

TEXT = b"t/"      # plain values, with conditions and deletions
MORTAL = b"e/"    # values that expire
COUNTER = b"c/"
LIST = b"l/"
GROUP = b"g/"     # written by transactions only, all keys of a group at once
GROWING = b"i/"   # created once, never deleted, counted
NEVER = b"n/"     # never there

KEYS_PER_USE = 24
GROUPS = 8
KEYS_PER_GROUP = 3


def pool(prefix, count=KEYS_PER_USE):
    return [prefix + b"%03d" % number for number in range(count)]


def group_keys(number):
    return [GROUP + b"%03d/%d" % (number, place) for place in range(KEYS_PER_GROUP)]


def group_of(key):
    return key.rsplit(b"/", 1)[0]


GROUP_KEYS = [key for number in range(GROUPS) for key in group_keys(number)]
POOLS = {prefix: pool(prefix) for prefix in (TEXT, MORTAL, COUNTER, LIST)}
POOLS[GROUP] = GROUP_KEYS
ALL_KEYS = [key for keys in POOLS.values() for key in keys]


def page_of(call):
    """(key, entry or None) of each pool key that a forward page of a scan covers."""
    prefix = call.request["range"]["prefix"]
    entries = {entry["key"]: entry for entry in call.answer["entries"]}
    if call.answer["next_page_token"] and not entries:
        return
    last = max(entries) if call.answer["next_page_token"] else None
    for key in POOLS.get(prefix, []):
        if call.after is not None and key <= call.after:
            continue
        if last is None or key <= last:
            yield key, entries.get(key)
