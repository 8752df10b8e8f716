"""A small asynchronous ttrpc client: one connection, many unary calls in flight."""

import asyncio
import struct

import messages

HEADER = struct.Struct(">IIBB")
REQUEST_FRAME, RESPONSE_FRAME = 1, 2
MAX_FRAME_BYTES = 4 << 20

CODES = [
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
    "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
    "UNAUTHENTICATED",
]


class CallFailed(Exception):
    """The server answered with a status other than OK."""

    def __init__(self, code, text):
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


class ConnectionLost(Exception):
    """There was no answer: whether the call took effect is not known."""


class Connection:
    """Confined to one asyncio loop. After `ConnectionLost` every call raises it."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer
        self.waiting = {}
        self.next_stream = 1
        self.closed = False
        self.reading = asyncio.create_task(self.read_answers())

    @classmethod
    async def open(cls, port, host="127.0.0.1"):
        try:
            return cls(*await asyncio.open_connection(host, port))
        except OSError as error:
            raise ConnectionLost(str(error)) from error

    async def call(self, method, request):
        """Sends one unary call. Returns the answer as a dict, or raises one of the two above."""
        if self.closed:
            raise ConnectionLost("the connection is closed")
        service, shape, answer_shape = messages.METHODS[method]
        data = messages.REQUEST.encode({
            "service": f"roost.v1.{service}", "method": method,
            "payload": shape.encode(request)})
        stream = self.next_stream
        self.next_stream += 2
        future = asyncio.get_running_loop().create_future()
        self.waiting[stream] = future
        self.writer.write(HEADER.pack(len(data), stream, REQUEST_FRAME, 0) + data)
        response = await future
        status = response["status"]
        if status is not None and status["code"] != 0:
            code = status["code"]
            name = CODES[code] if 0 <= code < len(CODES) else str(code)
            raise CallFailed(name, status["message"])
        return answer_shape.decode(response["payload"])

    async def read_answers(self):
        reason = "the server closed the connection"
        try:
            while True:
                length, stream, kind, _ = HEADER.unpack(
                    await self.reader.readexactly(HEADER.size))
                if length > MAX_FRAME_BYTES:
                    raise ValueError(f"a frame of {length} bytes")
                data = await self.reader.readexactly(length)
                future = self.waiting.pop(stream, None)
                if kind != RESPONSE_FRAME or future is None:
                    raise ValueError(f"a frame of type {kind} on stream {stream}")
                if not future.done():
                    future.set_result(messages.RESPONSE.decode(data))
        except (OSError, asyncio.IncompleteReadError):
            pass
        except ValueError as error:
            reason = f"not the protocol: {error}"
        finally:
            self.close(reason)

    def close(self, reason="closed here"):
        if self.closed:
            return
        self.closed = True
        self.writer.close()
        for future in self.waiting.values():
            if not future.done():
                future.set_exception(ConnectionLost(reason))
        self.waiting.clear()
        self.reading.cancel()
