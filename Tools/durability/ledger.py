"""A small account of text keys, for scenarios that write one key after the other."""

import messages
from history import leaves_open
from wire import CallFailed, ConnectionLost


class Ledger:
    """What each key may hold: the acknowledged value, or one whose outcome is not known.

    Values are unique, so that each read says which write it saw. `refusals` are the reasons.
    """

    def __init__(self):
        self.acknowledged = {}  # key -> value; None: deleted
        self.unknown = {}       # key -> values without an answer
        self.refusals = []
        self.serial = 0

    async def set(self, connection, key, size=100):
        """Returns whether it was acknowledged."""
        self.serial += 1
        value = (b"%d-" % self.serial).ljust(size, b".")
        request = {"key": key, "value": messages.message(value)}
        return await self.write(connection, "Set", request, key, value)

    async def delete(self, connection, key):
        return await self.write(connection, "Delete", {"key": key}, key, None)

    async def write(self, connection, method, request, key, value):
        self.unknown.setdefault(key, []).append(value)
        try:
            await connection.call(method, request)
        except CallFailed as error:
            self.refusals.append(f"{error.code}: {error.text}")
            if not leaves_open((error.code, error.text)):
                self.unknown[key].remove(value)
            return False
        except ConnectionLost:
            return False
        self.acknowledged[key] = value
        self.unknown[key] = []
        return True

    async def show(self, connection, key):
        """Reads a key: what is shown must last. Returns the error's text; None: it was read."""
        try:
            answer = await connection.call("Get", {"key": key})
        except CallFailed as error:
            return f"{error.code}: {error.text}"
        value = messages.plain(answer["entry"]["value"]) if answer["found"] else None
        if value in self.unknown.get(key, []):
            self.acknowledged[key] = value
            self.unknown[key] = []
        return None

    async def differences(self, connection):
        """Compares with what the server has: a list of what cannot be."""
        found = []
        for key in sorted({*self.acknowledged, *self.unknown}):
            answer = await connection.call("Get", {"key": key})
            value = messages.plain(answer["entry"]["value"]) if answer["found"] else None
            allowed = [self.acknowledged.get(key), *self.unknown.get(key, [])]
            if value not in allowed:
                shown = value and value.rstrip(b".")
                wanted = [each and each.rstrip(b".") for each in allowed]
                found.append(f"{key.decode()} is {shown}, not one of {wanted}")
        return found
