"""A Protobuf message for tests, as protoc would describe it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet
from google.protobuf.timestamp_pb2 import DESCRIPTOR as TIMESTAMPS

if TYPE_CHECKING:
    from pathlib import Path

_FIELDS = {
    "id": FieldDescriptorProto.TYPE_STRING,
    "card": FieldDescriptorProto.TYPE_INT64,
    "amount": FieldDescriptorProto.TYPE_STRING,
    "share": FieldDescriptorProto.TYPE_DOUBLE,
    "online": FieldDescriptorProto.TYPE_BOOL,
}


def payment_descriptors(folder: Path) -> Path:
    """What protoc writes for shop.Payment: an id, a card, an amount, …, a time, an optional note."""
    timestamps = FileDescriptorProto()
    TIMESTAMPS.CopyToProto(timestamps)
    path = folder / "payments.desc"
    path.write_bytes(FileDescriptorSet(file=[timestamps, _payments()]).SerializeToString())
    return path


def _payments() -> FileDescriptorProto:
    file = FileDescriptorProto(name="payments.proto", package="shop", syntax="proto3")
    file.dependency.append("google/protobuf/timestamp.proto")
    message = file.message_type.add(name="Payment")
    one = FieldDescriptorProto.LABEL_OPTIONAL
    for number, (name, kind) in enumerate(_FIELDS.items(), 1):
        message.field.add(name=name, number=number, type=kind, label=one)
    kind = FieldDescriptorProto.TYPE_MESSAGE
    message.field.add(name="at", number=6, type=kind, type_name=".google.protobuf.Timestamp", label=one)
    message.oneof_decl.add(name="_note")
    kind = FieldDescriptorProto.TYPE_STRING
    message.field.add(name="note", number=7, type=kind, label=one, proto3_optional=True, oneof_index=0)
    return file
