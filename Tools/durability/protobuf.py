"""Protobuf's wire format for messages that are described by a table of their fields.

A message is a dict from field name to value. What a dict holds is written, zero values too, so
that the presence of a oneof's member is kept. What is read has every field: a scalar its default,
a message None, a repeated field a list.
"""

import struct

BYTES, INT, BOOL, DOUBLE, STRING = "bytes", "int", "bool", "double", "string"
DEFAULTS = {BYTES: b"", INT: 0, BOOL: False, DOUBLE: 0.0, STRING: ""}


class Message:
    """Describes a message: `name=(number, kind)`; a kind in a list is a repeated field.

    `presence` names the scalars that belong to a oneof: they read as None where they are absent.
    """

    def __init__(self, presence=(), **fields):
        self.fields = {}
        self.numbers = {}
        for name, (number, kind) in fields.items():
            repeated = isinstance(kind, list)
            kind = kind[0] if repeated else kind
            self.fields[name] = (number, kind, repeated)
            self.numbers[number] = (name, kind, repeated)
        self.presence = set(presence)

    def encode(self, values):
        out = bytearray()
        for name, value in values.items():
            number, kind, repeated = self.fields[name]
            for item in value if repeated else [value]:
                if item is not None:
                    encode_field(out, number, kind, item)
        return bytes(out)

    def decode(self, data):
        values = self.empty()
        place = 0
        while place < len(data):
            tag, place = read_varint(data, place)
            raw, place = read_raw(data, place, tag & 7)
            if tag >> 3 not in self.numbers:
                continue
            name, kind, repeated = self.numbers[tag >> 3]
            item = convert(kind, raw)
            if repeated:
                values[name].append(item)
            else:
                values[name] = item
        return values

    def empty(self):
        values = {}
        for name, (_, kind, repeated) in self.fields.items():
            if repeated:
                values[name] = []
            elif isinstance(kind, Message) or name in self.presence:
                values[name] = None
            else:
                values[name] = DEFAULTS[kind]
        return values


def write_varint(out, number):
    number &= (1 << 64) - 1
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)


def encode_field(out, number, kind, item):
    if kind in (INT, BOOL):
        write_varint(out, number << 3)
        write_varint(out, int(item))
        return
    if kind == DOUBLE:
        write_varint(out, number << 3 | 1)
        out += struct.pack("<d", item)
        return
    if isinstance(kind, Message):
        item = kind.encode(item)
    elif kind == STRING:
        item = item.encode()
    write_varint(out, number << 3 | 2)
    write_varint(out, len(item))
    out += item


def read_varint(data, place):
    number, shift = 0, 0
    while True:
        if place >= len(data) or shift > 63:
            raise ValueError("a varint that does not end")
        byte = data[place]
        place += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number & ((1 << 64) - 1), place
        shift += 7


def read_raw(data, place, wire_type):
    if wire_type == 0:
        return read_varint(data, place)
    if wire_type == 2:
        size, place = read_varint(data, place)
    elif wire_type in (1, 5):
        size = 8 if wire_type == 1 else 4
    else:
        raise ValueError(f"wire type {wire_type}")
    if place + size > len(data):
        raise ValueError("a field that goes over the end")
    return data[place:place + size], place + size


def convert(kind, raw):
    if kind == INT:
        return raw - (1 << 64) if raw >> 63 else raw
    if kind == BOOL:
        return raw != 0
    if kind == DOUBLE:
        return struct.unpack("<d", raw)[0]
    if kind == STRING:
        return raw.decode("utf-8", "replace")
    return kind.decode(raw) if isinstance(kind, Message) else bytes(raw)
