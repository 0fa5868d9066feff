"""The state of the windows: what a late event leaves as it was, and what may be taken in from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from feature_store.declaration.pipeline import Pipeline
from feature_store.engine.inputs import hashable
from feature_store.engine.layout import COUNTERS, FREE_SLABS, HEAD, LAST_ROW, USES
from feature_store.errors import ContractError
from feature_store.log import event_schema
from feature_store.store import FeatureStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Arrays = dict[str, np.ndarray[Any, Any]]
    Damage = Callable[[Arrays], None]

EVENTS = "0/card/events/"


def pipeline(**types: str) -> Pipeline:
    fields = {"id": "string", "at": "timestamp", "card": "string", "shop": "string", "large": "boolean"}
    hour: dict[str, Any] = {"entity": "card", "windows": ["1h"]}
    where = {"large": "large"}
    return Pipeline.model_validate(
        {
            "pipeline": "kept",
            "event": {"id": "id", "time": "at", "key": "card", "fields": fields | types},
            "features": {
                "lateness": "10s",
                "windows": [
                    {**hour, "since_last": True, "distinct": ["shop"]},
                    {**hour, "since_last": True, "where": where},
                ],
            },
            "outcomes": {"sources": {"bank": "1d"}},
            "decision": {"costs": {"missed_fraud": 1, "review": 1, "false_decline": 1}},
        }
    )


def new_store() -> FeatureStore:
    store = FeatureStore(pipeline())
    store.add_partition(0)
    return store


def observed(store: FeatureStore, *events: tuple[str, float, bool]) -> list[dict[str, float]]:
    """Cards, times (s) and whether the event is large; applied in one step."""
    declared = pipeline()
    rows = [
        {"id": str(i), "at": int(second * 1e6), "card": card, "shop": f"{i % 3}", "large": large}
        for i, (card, second, large) in enumerate(events)
    ]
    batch = pa.RecordBatch.from_pylist(rows, schema=event_schema(declared.event))
    matrix = store.observe(batch, [0] * len(rows))
    store.decided(np.ones(len(rows), np.bool_))
    store.commit()
    names = [feature.name for feature in declared.feature_vector]
    return [dict(zip(names, row, strict=True)) for row in matrix.tolist()]


class TestLateEvents:
    """A row is forgotten where no window can reach it; that it was the newest one is remembered."""

    def test_an_older_event_does_not_become_the_last_one(self) -> None:
        store = new_store()
        observed(store, ("a", 1_000, True))
        observed(store, ("b", 1_100, True))
        observed(store, ("a", 900, True))
        (found,) = observed(store, ("a", 1_300, False))
        assert found["card_since_last_1h"] == 300.0
        assert found["card_since_last_large_1h"] == 300.0

    def test_nor_does_it_within_one_step(self) -> None:
        store = new_store()
        observed(store, ("a", 1_000, True))
        observed(store, ("b", 1_100, True))
        _, found = observed(store, ("a", 900, True), ("a", 1_300, False))
        assert found["card_since_last_1h"] == 300.0
        assert found["card_since_last_large_1h"] == 300.0

    def test_the_entity_is_remembered_as_long_as_its_newest_event(self) -> None:
        store = new_store()
        observed(store, ("a", 5_000, True))
        observed(store, ("b", 5_100, True))
        observed(store, ("a", 1_000, True))
        observed(store, ("b", 6_000, True))
        (found,) = observed(store, ("a", 8_000, False))
        assert found["card_since_last_1h"] == 3_000.0

    def test_the_last_one_that_meets_a_condition_may_be_the_late_one(self) -> None:
        store = new_store()
        observed(store, ("a", 1_000, False))
        observed(store, ("b", 1_100, True))
        observed(store, ("a", 900, True))
        (found,) = observed(store, ("a", 1_300, False))
        assert found["card_since_last_1h"] == 300.0
        assert found["card_since_last_large_1h"] == 400.0


def _set(name: str, place: Any, value: int) -> Damage:
    def damage(arrays: Arrays) -> None:
        arrays[EVENTS + name][place] = value

    return damage


def _shorter(name: str) -> Damage:
    def damage(arrays: Arrays) -> None:
        arrays[EVENTS + name] = arrays[EVENTS + name][:-1]

    return damage


def _narrower(arrays: Arrays) -> None:
    arrays[EVENTS + "rows"] = np.ascontiguousarray(arrays[EVENTS + "rows"][:, :-1])


def _missing(arrays: Arrays) -> None:
    del arrays[EVENTS + "entities"]


def _elsewhere(arrays: Arrays) -> None:
    arrays["newest"][0, 0] = 7


def _links(word: int) -> Damage:
    def damage(arrays: Arrays) -> None:
        rows = arrays[EVENTS + "rows"]
        rows[rows[:, word] >= 0, word] = 1 << 40

    return damage


def _newest(arrays: Arrays) -> None:
    values = arrays[EVENTS + "value_table"]
    values[values[:, USES] > 0, LAST_ROW] += 1


DAMAGES: Iterable[Damage] = [
    *map(_shorter, ("rows", "entities", "value_table", "counters")),
    *(_set("entities", (slice(None), word), 1 << 40) for word in range(2, HEAD + 2)),
    _set("entities", (slice(None), -2), 1 << 40),
    *(_set("counters", counter, 1 << 40) for counter in (*range(8), 10, FREE_SLABS + 2, COUNTERS - 1)),
    _narrower,
    _missing,
    _elsewhere,
    *map(_links, (-3, -2, -1)),
    _newest,
]


class TestKeptState:
    def stream(self) -> list[tuple[str, float, bool]]:
        return [(f"{i % 7}", 1_000.0 + 40 * i, i % 3 == 0) for i in range(200)]

    def kept(self) -> Arrays:
        store = new_store()
        for at in range(0, 200, 10):
            observed(store, *self.stream()[at : at + 10])
        observed(store, ("only", 1e6, True))  # the others are forgotten: places, slots and values are free
        observed(store, *[(f"{i % 5}", 1e6 + i, True) for i in range(100)])
        return store.export(0)

    def test_a_sound_state_is_taken_in(self) -> None:
        store = new_store()
        assert store.load(0, self.kept()) == {"card"}
        (found,) = observed(store, ("1", 1e6 + 100, False))
        assert found["card_since_last_1h"] == 4.0

    @pytest.mark.parametrize("damage", DAMAGES)
    def test_what_points_outside_is_refused(self, damage: Damage) -> None:
        arrays = self.kept()
        damage(arrays)
        with pytest.raises(ContractError):
            new_store().load(0, arrays)


@pytest.mark.parametrize("field", ["card", "shop"])
def test_state_of_values_of_another_type_is_not_taken_over(field: str) -> None:
    changed = FeatureStore(pipeline(**{field: "integer"}))
    assert changed.layouts(0) != new_store().layouts(0)


def test_bytes_from_anywhere_are_hashed_by_the_same_kernel() -> None:
    kind = pipeline().event.fields["card"].type
    made = pa.array(["a", "b"])
    received = pa.ipc.open_stream(_message(made)).read_next_batch().column(0)
    assert [hashable(kind, column)[1].flags.writeable for column in (made, received)] == [False, False]


def _message(column: pa.Array[Any]) -> pa.Buffer:
    batch = pa.record_batch([column], names=["card"])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    return sink.getvalue()
