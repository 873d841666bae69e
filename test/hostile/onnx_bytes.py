"""ONNX files byte by byte, so that they can hold what no library would write."""

import struct

FLOAT, INT64, STRING = 1, 7, 8


def varint(number):
    number &= 2**64 - 1
    out = bytearray()
    while True:
        byte = number & 0x7F
        number >>= 7
        out.append(byte | 0x80 if number else byte)
        if not number:
            return bytes(out)


def field(number, value):
    """A varint of an int, 32 bits of a float, else bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    if isinstance(value, str):
        value = value.encode()
    return varint(number << 3 | 2) + varint(len(value)) + value


def fields(number, values):
    return b"".join(field(number, value) for value in values)


def tensor(name, dims, data=b"", kind=FLOAT, raw=True, external=None):
    out = fields(1, dims) + field(2, kind) + field(8, name)
    if external is not None:
        entries = [fields(1, [key]) + fields(2, [value]) for key, value in external]
        return out + fields(13, entries) + field(14, 1)
    if raw:
        return out + field(9, data)
    return out + {FLOAT: fields(4, data), INT64: fields(7, data), STRING: fields(6, data)}[kind]


def floats(*values):
    return struct.pack(f"<{len(values)}f", *values)


def ints(name, *values):
    return tensor(name, [len(values)], struct.pack(f"<{len(values)}q", *values), INT64)


def attribute(name, value):
    out = field(1, name)
    if isinstance(value, Raw):
        return out + value.fields
    if isinstance(value, list):
        number = {int: 8, float: 7, str: 9, bytes: 9}[type(value[0])] if value else 8
        return out + fields(number, value)
    return out + field({int: 3, float: 2, str: 4, bytes: 5}[type(value)], value)  # bytes: a tensor


class Raw:
    """An attribute's fields as they are."""

    def __init__(self, raw):
        self.fields = raw


def node(op, inputs, outputs, domain="", name="", **attributes):
    out = fields(1, inputs) + fields(2, outputs) + field(3, name) + field(4, op)
    out += fields(5, [attribute(key, value) for key, value in attributes.items()])
    return out + (field(7, domain) if domain else b"")


def value(name, dims=(None, 4), kind=FLOAT):
    shape = fields(1, [field(2, "N") if dim is None else field(1, dim) for dim in dims])
    return field(1, name) + field(2, field(1, field(1, kind) + field(2, shape)))


def graph(nodes, initializers=(), inputs=None, outputs=("y",), more=b""):
    inputs = [value("x")] if inputs is None else inputs
    out = fields(1, nodes) + field(2, "g") + fields(5, initializers) + fields(11, inputs)
    return out + fields(12, [value(o) if isinstance(o, str) else o for o in outputs]) + more


def model(graph_bytes, more=b""):
    opsets = fields(8, [field(2, 17), field(1, "ai.onnx.ml") + field(2, 3)])
    return field(1, 8) + opsets + field(7, graph_bytes) + more
