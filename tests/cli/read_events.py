"""read_events.py FILE...: the scalars of TensorBoard event files as JSON, one list [[tag, step, value], ...] a file.

Written from the descriptions of the formats alone, to check files that another program wrote: record framing and masks
from TensorFlow's record_writer.h, messages from its event.proto and summary.proto through protobuf's own run time, and
CRC-32C bit by bit as RFC 3720 defines it, checked on that RFC's examples before anything is read.
"""

import json
import struct
import sys

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

POLYNOMIAL = 0x1EDC6F41  # Castagnoli, RFC 3720 section 12.1


def reflect(value, bits):
    return int(format(value, f"0{bits}b")[::-1], 2)


def crc32c(data):
    """The polynomial division with the most significant bit first; bits in and out are reflected, as the RFC says."""
    remainder = 0xFFFFFFFF
    for byte in data:
        remainder ^= reflect(byte, 8) << 24
        for _ in range(8):
            remainder = (remainder << 1) ^ (POLYNOMIAL if remainder >> 31 else 0)
            remainder &= 0xFFFFFFFF
    return reflect(remainder ^ 0xFFFFFFFF, 32)


def check_crc():
    """RFC 3720, appendix B.4."""
    for data, wanted in (
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
    ):
        assert crc32c(data) == wanted, f"the checksum itself is wrong: {crc32c(data):#x}, not {wanted:#x}"


def masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def event_class():
    """The messages, from a description made here."""
    kind = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="events.proto", package="events", syntax="proto3")
    for message, fields in (
        ("Value", [("tag", 1, kind.TYPE_STRING, None), ("simple_value", 2, kind.TYPE_FLOAT, None)]),
        ("Summary", [("value", 1, kind.TYPE_MESSAGE, ".events.Value")]),
        (
            "Event",
            [
                ("wall_time", 1, kind.TYPE_DOUBLE, None),
                ("step", 2, kind.TYPE_INT64, None),
                ("file_version", 3, kind.TYPE_STRING, None),
                ("summary", 5, kind.TYPE_MESSAGE, ".events.Summary"),
            ],
        ),
    ):
        described = file.message_type.add(name=message)
        for name, number, field_type, type_name in fields:
            label = kind.LABEL_REPEATED if message == "Summary" else kind.LABEL_OPTIONAL
            described.field.add(name=name, number=number, type=field_type, type_name=type_name, label=label)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = pool.FindMessageTypeByName("events.Event")
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(found)
    return message_factory.MessageFactory(pool).GetPrototype(found)


def records(path):
    with open(path, "rb") as f:
        data = f.read()
    at = 0
    while at < len(data):
        head = data[at : at + 8]
        (size,) = struct.unpack("<Q", head)
        (head_crc,) = struct.unpack("<I", data[at + 8 : at + 12])
        body = data[at + 12 : at + 12 + size]
        (body_crc,) = struct.unpack("<I", data[at + 12 + size : at + 16 + size])
        assert head_crc == masked(head), f"{path}: wrong checksum of a length at {at}"
        assert body_crc == masked(body), f"{path}: wrong checksum of a record at {at}"
        yield body
        at += 16 + size


def scalars(path, event_type):
    found = []
    for number, body in enumerate(records(path)):
        event = event_type.FromString(body)
        assert event.wall_time > 1.5e9, f"{path}: no time"
        assert not event.UnknownFields() if hasattr(event, "UnknownFields") else True
        if number == 0:
            assert event.file_version == "brain.Event:2", f"{path}: {event.file_version}"
        found += [[value.tag, event.step, value.simple_value] for value in event.summary.value]
    return found


if __name__ == "__main__":
    check_crc()
    event_type = event_class()
    json.dump([scalars(path, event_type) for path in sys.argv[1:]], sys.stdout)
