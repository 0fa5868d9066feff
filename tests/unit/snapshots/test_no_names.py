"""What docs/how-to/delete-a-persons-data.md says of snapshots: digests and numbers, nobody's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from feature_store.snapshots.format import decode_snapshot
from tests.support.takeover_declared import objects

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from streams.scorer.records import SourceRecord
    from tests.support.takeover_declared import WorldOf

NAMED = ("event_id", "customer_id", "terminal_id")


def named(record: SourceRecord) -> SourceRecord:
    """The same event of somebody with a name that is found wherever it stands."""
    values = msgspec.json.decode(record.value or b"{}", type=dict[str, object])
    values |= {field: f"known-as-{values[field]}-everywhere" for field in NAMED}
    key = str(values["customer_id"]).encode()
    return record._replace(key=key, value=msgspec.json.encode(values))


def test_a_snapshot_holds_nobodys_name(world_of: WorldOf, one: Pipeline) -> None:
    world = world_of(one)
    worker = world.kept()
    result = worker.step([named(record) for record in world.events(60)])
    assert len(result.decided) > 50
    assert not result.refused
    worker.keep()
    worker.snapshots.finish()
    assert objects(world)
    for name in objects(world):
        snapshot = decode_snapshot(world.folder.get(name))
        assert sum(array.nbytes for array in snapshot.arrays.values()) > 10_000
        plain = b"\n".join(array.tobytes() for array in snapshot.arrays.values())
        told = msgspec.json.encode((snapshot.pipeline, snapshot.unit, snapshot.layouts, snapshot.positions))
        for text in (b"known-as-", b"everywhere"):
            assert text not in plain
            assert text not in told
