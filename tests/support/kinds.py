"""An event with a field of every kind that Avro and Protobuf have."""

from __future__ import annotations

from feature_store.declaration.event import EventSpec

SPEC = EventSpec.model_validate(
    {
        "id": "id",
        "time": "at",
        "key": "card",
        "fields": {
            "id": "string",
            "at": "timestamp",
            "card": "integer",
            "amount": "decimal(12,2)",
            "share": "float",
            "online": "boolean",
            "note": {"type": "string", "required": False},
        },
    }
)
