"""The messages of `Protos/roost/v1` and of the ttrpc envelope that these tools use."""

from protobuf import BOOL, BYTES, DOUBLE, INT, STRING, Message

LIST_VALUE = Message(items=(1, [BYTES]))
VALUE = Message(
    presence=["bytes_value", "text_value", "int_value", "double_value", "bool_value"],
    bytes_value=(1, BYTES), text_value=(2, BYTES), int_value=(3, INT), double_value=(4, DOUBLE),
    bool_value=(5, BOOL), list_value=(6, LIST_VALUE))
ENTRY = Message(
    key=(1, BYTES), value=(2, VALUE), revision=(3, INT), create_revision=(4, INT),
    version=(5, INT), created_at_ms=(6, INT), updated_at_ms=(7, INT), expires_at_ms=(8, INT),
    value_omitted=(9, BOOL))
EXPIRATION = Message(
    presence=["ttl_ms", "at_ms", "keep"], ttl_ms=(1, INT), at_ms=(2, INT), keep=(3, BOOL))
CONDITION = Message(
    presence=["exists", "revision"], exists=(1, BOOL), revision=(2, INT), value=(3, VALUE))
OPTIONS = Message(idempotency_key=(1, BYTES), durability=(2, INT), return_previous=(3, BOOL))
RANGE = Message(prefix=(1, BYTES), start=(2, BYTES), end=(3, BYTES))

# enum Durability and enum ListEnd
MEMORY, LOGGED, SYNCED = 1, 2, 3
BACK, FRONT = 1, 2

GET = Message(key=(1, BYTES), keys_only=(2, BOOL))
GET_ANSWER = Message(found=(1, BOOL), entry=(2, ENTRY))
BATCH_GET = Message(keys=(1, [BYTES]), keys_only=(2, BOOL))
BATCH_GET_ANSWER = Message(results=(1, [GET_ANSWER]), revision=(2, INT))
SET = Message(
    key=(1, BYTES), value=(2, VALUE), expiration=(3, EXPIRATION), condition=(4, CONDITION),
    options=(5, OPTIONS))
SET_ANSWER = Message(
    revision=(1, INT), created=(2, BOOL), previous=(3, ENTRY), replayed=(4, BOOL))
DELETE = Message(key=(1, BYTES), condition=(2, CONDITION), options=(3, OPTIONS))
DELETE_ANSWER = Message(
    deleted=(1, BOOL), revision=(2, INT), previous=(3, ENTRY), replayed=(4, BOOL))
DELETE_RANGE = Message(range=(1, RANGE), dry_run=(2, BOOL), options=(3, OPTIONS))
DELETE_RANGE_ANSWER = Message(deleted=(1, INT), revision=(2, INT), replayed=(3, BOOL))
INCREMENT = Message(
    key=(1, BYTES), delta=(2, INT), initial=(3, INT), expiration=(4, EXPIRATION),
    options=(5, OPTIONS))
INCREMENT_ANSWER = Message(value=(1, INT), revision=(2, INT), replayed=(3, BOOL))
TOUCH = Message(key=(1, BYTES), expiration=(2, EXPIRATION), options=(3, OPTIONS))
TOUCH_ANSWER = Message(
    found=(1, BOOL), expires_at_ms=(2, INT), revision=(3, INT), replayed=(4, BOOL))
PUSH = Message(
    key=(1, BYTES), items=(2, [BYTES]), end=(3, INT), expiration=(4, EXPIRATION),
    must_exist=(5, BOOL), max_length=(6, INT), options=(7, OPTIONS))
PUSH_ANSWER = Message(length=(1, INT), revision=(2, INT), replayed=(3, BOOL))
POP = Message(key=(1, BYTES), end=(2, INT), count=(3, INT), options=(4, OPTIONS))
POP_ANSWER = Message(items=(1, [BYTES]), length=(2, INT), revision=(3, INT), replayed=(4, BOOL))
LIST_RANGE = Message(key=(1, BYTES), start=(2, INT), stop=(3, INT))
LIST_RANGE_ANSWER = Message(
    found=(1, BOOL), items=(2, [BYTES]), length=(3, INT), revision=(4, INT))
OPERATION = Message(
    get=(1, GET), set=(2, SET), delete=(3, DELETE), increment=(4, INCREMENT), push=(5, PUSH),
    pop=(6, POP))
RESULT = Message(
    get=(1, GET_ANSWER), set=(2, SET_ANSWER), delete=(3, DELETE_ANSWER),
    increment=(4, INCREMENT_ANSWER), push=(5, PUSH_ANSWER), pop=(6, POP_ANSWER))
COMPARE = Message(key=(1, BYTES), condition=(2, CONDITION))
TRANSACT = Message(
    compares=(1, [COMPARE]), success=(2, [OPERATION]), failure=(3, [OPERATION]),
    options=(4, OPTIONS))
TRANSACT_ANSWER = Message(
    succeeded=(1, BOOL), results=(2, [RESULT]), revision=(3, INT), replayed=(4, BOOL))
SCAN = Message(
    range=(1, RANGE), match_kind=(2, INT), pattern=(3, BYTES), keys_only=(4, BOOL),
    reverse=(5, BOOL), page_size=(6, INT), page_token=(7, BYTES))
SCAN_ANSWER = Message(
    entries=(1, [ENTRY]), next_page_token=(2, BYTES), examined=(3, INT), revision=(4, INT))
COUNT = Message(range=(1, RANGE))
COUNT_ANSWER = Message(count=(1, INT), revision=(2, INT))

PING = Message(payload=(1, BYTES))
NOTHING = Message()
STATUS_ANSWER = Message(
    version=(1, STRING), engine=(2, STRING), uptime_ms=(3, INT), revision=(4, INT),
    durable_revision=(5, INT), key_count=(6, INT), memory_bytes=(7, INT), log_bytes=(8, INT),
    connection_count=(9, INT), call_count=(10, INT), draining=(11, BOOL))
SNAPSHOT_ANSWER = Message(
    revision=(1, INT), entry_count=(2, INT), file_bytes=(3, INT), duration_ms=(4, INT))

METHODS = {
    "Get": ("KV", GET, GET_ANSWER),
    "BatchGet": ("KV", BATCH_GET, BATCH_GET_ANSWER),
    "Set": ("KV", SET, SET_ANSWER),
    "Delete": ("KV", DELETE, DELETE_ANSWER),
    "DeleteRange": ("KV", DELETE_RANGE, DELETE_RANGE_ANSWER),
    "Increment": ("KV", INCREMENT, INCREMENT_ANSWER),
    "Touch": ("KV", TOUCH, TOUCH_ANSWER),
    "Push": ("KV", PUSH, PUSH_ANSWER),
    "Pop": ("KV", POP, POP_ANSWER),
    "ListRange": ("KV", LIST_RANGE, LIST_RANGE_ANSWER),
    "Transact": ("KV", TRANSACT, TRANSACT_ANSWER),
    "Scan": ("KV", SCAN, SCAN_ANSWER),
    "Count": ("KV", COUNT, COUNT_ANSWER),
    "Ping": ("Admin", PING, PING),
    "Status": ("Admin", NOTHING, STATUS_ANSWER),
    "Snapshot": ("Admin", NOTHING, SNAPSHOT_ANSWER),
}

# The envelope: ttrpc.Request, ttrpc.Response and google.rpc.Status.
KEY_VALUE = Message(key=(1, BYTES), value=(2, BYTES))
REQUEST = Message(
    service=(1, STRING), method=(2, STRING), payload=(3, BYTES), timeout_nano=(4, INT),
    metadata=(5, [KEY_VALUE]))
RPC_STATUS = Message(code=(1, INT), message=(2, STRING))
RESPONSE = Message(status=(1, RPC_STATUS), payload=(2, BYTES))


def plain(value):
    """A message Value as Python has it: int, bytes, or for a list a tuple of bytes."""
    if value is None:
        return None
    if value["list_value"] is not None:
        return tuple(value["list_value"]["items"])
    for name in ("text_value", "int_value", "bytes_value", "double_value", "bool_value"):
        if value[name] is not None:
            return value[name]
    return None


def message(value):
    """The reverse of `plain`."""
    if isinstance(value, int):
        return {"int_value": value}
    if isinstance(value, tuple):
        return {"list_value": {"items": list(value)}}
    return {"text_value": value}
