"""Outcomes become deltas: what is routed is what is true, in the order in which it became known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from feature_store.declaration.event import FieldSpec
from feature_store.declaration.windows import WindowSpec
from tests.unit.keeper.written import MINUTE, START
from training.keeper.routing import Router
from training.keeper.store import STORE, open_keeper_store, rows, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duck import Connection

Word = tuple[str, str, str, int]
"""Event, label, source, and when it arrived: minutes after the start."""


class Keeper:
    """A store that takes in events and outcomes as the sink does, a step at a time."""

    def __init__(self, store: Connection, pipeline: Pipeline) -> None:
        self.store = store
        self._router = Router(store, pipeline)
        self._offset = 0
        with transaction(store):
            self._router.begin(START)

    def step(
        self, *words: Word, events: tuple[str, ...] = (), action: str = "approve", now: int = START
    ) -> list[tuple[str, int]]:
        """Sink these; returns what was routed for it: (event, delta), in order."""
        before = self._last()
        with transaction(self.store):
            outcomes = self._add("outcomes", [self._outcome(*word) for word in words])
            scored = self._add("scored", [_event(event, action) for event in events])
            self._router.route(outcomes, scored, now)
        found = rows_of(self.store, f"FROM outbox WHERE route_seq > {before} ORDER BY route_seq")
        assert [row["route_seq"] for row in found] == list(range(before + 1, before + 1 + len(found)))
        return [(row["event_id"], row["fraud"]) for row in found]

    def waiting(self) -> list[str]:
        return [row["event_id"] for row in rows_of(self.store, "FROM waiting ORDER BY ALL")]

    def _last(self) -> int:
        last = rows(self.store, "routing")[0]["last"]
        assert isinstance(last, int)
        return last

    def _outcome(self, event: str, label: str, source: str, minute: int) -> dict[str, Any]:
        self._offset += 1
        when = START + minute * MINUTE
        return {"partition": 0, "offset": self._offset, "event_id": event, "label": label, "source": source,
                "observed_at": when, "arrived_at": when}  # fmt: skip

    def _add(self, name: str, values: list[dict[str, Any]]) -> pa.Table | None:
        if not values:
            return None
        table = pa.Table.from_pylist(values)
        for column in ("observed_at", "arrived_at", "event_time"):
            if column in table.column_names:
                at = table.column_names.index(column)
                table = table.set_column(at, column, table[column].cast(pa.timestamp("us")))
        self.store.register("given", table)
        self.store.execute(f"INSERT INTO {name} BY NAME FROM given")
        self.store.unregister("given")
        return table


def _event(event: str, action: str) -> dict[str, Any]:
    offset = int(event.rpartition("-")[2])
    when = START + offset * MINUTE
    return {
        "event_id": event,
        "event_time": when,
        "arrived_at": when,
        "card": f"c{offset % 7}",
        "holder": f"h{offset}",
        "action": action,
        "source_partition": int(event[1]),
        "source_offset": offset,
        "seq": offset,
    }


def rows_of(store: Connection, query: str) -> list[dict[str, Any]]:
    return store.sql(query).to_arrow_table().to_pylist()  # type: ignore[no-any-return]


def counting_frauds(pipeline: Pipeline, entity: str = "card") -> Pipeline:
    spec = WindowSpec(entity=(entity,), windows=("24h",), frauds=True)
    features = pipeline.features.model_copy(update={"windows": (*pipeline.features.windows, spec)})
    return pipeline.model_copy(update={"features": features})


@pytest.fixture
def keeper(pipeline: Pipeline, tmp_path: Path) -> Iterator[Keeper]:
    declared = counting_frauds(pipeline)
    store = open_keeper_store(tmp_path / STORE, declared)
    yield Keeper(store, declared)
    store.close()


FRAUD = ("e0-1", "fraud", "analyst", 5)
TAKEN_BACK = ("e0-1", "legitimate", "analyst", 9)


def test_an_event_may_have_a_field_that_is_named_delta(pipeline: Pipeline, tmp_path: Path) -> None:
    fields = pipeline.event.fields | {
        "delta": FieldSpec.model_validate({"type": "string", "required": False})
    }
    event = pipeline.event.model_copy(update={"fields": fields})
    declared = counting_frauds(pipeline.model_copy(update={"event": event}))
    store = open_keeper_store(tmp_path / STORE, declared)
    keeper = Keeper(store, declared)
    assert keeper.step(FRAUD, events=("e0-1",)) == [("e0-1", 1)]
    store.close()


def test_what_became_known_after_the_event_is_routed_with_all_that_features_count(keeper: Keeper) -> None:
    keeper.step(events=("e0-1", "e1-2"))
    assert keeper.step(FRAUD) == [("e0-1", 1)]
    (delta,) = rows_of(keeper.store, "SELECT * REPLACE (epoch_us(event_time) AS event_time, "
                       "epoch_us(arrived_at) AS arrived_at) FROM outbox")  # fmt: skip
    assert delta == {
        "route_seq": 1, "source_partition": 0, "event_id": "e0-1", "event_time": START + MINUTE, "fraud": 1,
        "let_through": True, "entity_card": "c1", "arrived_at": START + 5 * MINUTE,
    }  # fmt: skip


def test_a_stopped_event_was_not_let_through(keeper: Keeper) -> None:
    keeper.step(events=("e0-1",), action="decline")
    keeper.step(FRAUD)
    assert rows_of(keeper.store, "SELECT let_through FROM outbox") == [{"let_through": False}]


def test_an_outcome_that_comes_first_waits_for_its_event(keeper: Keeper) -> None:
    assert keeper.step(("e1-9", "fraud", "chargeback", 5)) == []
    assert keeper.waiting() == ["e1-9"]
    assert keeper.step(events=("e1-8",)) == []
    assert keeper.step(events=("e1-9",)) == [("e1-9", 1)]
    assert keeper.waiting() == []
    assert rows_of(keeper.store, "SELECT epoch_us(arrived_at) AS at FROM outbox") == [
        {"at": START + 9 * MINUTE}
    ]


def test_an_outcome_that_was_taken_back_while_it_waited_is_nothing(keeper: Keeper) -> None:
    keeper.step(FRAUD)
    keeper.step(TAKEN_BACK)
    assert keeper.waiting() == []
    assert keeper.step(events=("e0-1",)) == []


def test_event_and_outcome_may_come_in_one_step(keeper: Keeper) -> None:
    assert keeper.step(FRAUD, events=("e0-1",)) == [("e0-1", 1)]


def test_what_is_taken_back_is_routed_with_the_other_sign(keeper: Keeper) -> None:
    keeper.step(events=("e0-1",))
    assert keeper.step(FRAUD) == [("e0-1", 1)]
    assert keeper.step(TAKEN_BACK) == [("e0-1", -1)]
    assert keeper.step(("e0-1", "fraud", "analyst", 12)) == [("e0-1", 1)]
    entities = rows_of(keeper.store, "SELECT DISTINCT source_partition, event_time, entity_card FROM outbox")
    assert len(entities) == 1
    assert rows_of(keeper.store, "FROM routed") == [{"event_id": "e0-1", "fraud": 1}]


@pytest.mark.parametrize("again", ["analyst", "chargeback"])
def test_what_is_said_twice_is_routed_once(keeper: Keeper, again: str) -> None:
    keeper.step(events=("e0-1",))
    assert keeper.step(FRAUD, ("e0-1", "fraud", again, 6)) == [("e0-1", 1)]
    assert keeper.step(("e0-1", "fraud", again, 7)) == []


def test_the_source_that_is_named_first_wins_whenever_it_speaks(keeper: Keeper) -> None:
    keeper.step(events=("e0-1",))
    assert keeper.step(("e0-1", "fraud", "chargeback", 5)) == [("e0-1", 1)]
    assert keeper.step(("e0-1", "legitimate", "analyst", 6)) == [("e0-1", -1)]
    assert keeper.step(("e0-1", "fraud", "chargeback", 7)) == []
    assert keeper.step(("e0-1", "fraud", "analyst", 8)) == [("e0-1", 1)]


def test_a_source_that_is_not_declared_counts_where_no_other_speaks(keeper: Keeper) -> None:
    keeper.step(events=("e0-1",))
    assert keeper.step(("e0-1", "fraud", "rumour", 5)) == [("e0-1", 1)]
    assert keeper.step(("e0-1", "legitimate", "chargeback", 4)) == [("e0-1", -1)]


def test_a_word_that_was_overtaken_changes_nothing(keeper: Keeper) -> None:
    keeper.step(events=("e0-1",))
    assert keeper.step(TAKEN_BACK) == []
    assert keeper.step(FRAUD) == []


def test_legitimate_is_not_news(keeper: Keeper) -> None:
    assert keeper.step(TAKEN_BACK, events=("e0-1",)) == []
    assert keeper.waiting() == []


def test_the_order_is_that_of_arrival_not_of_the_step(keeper: Keeper) -> None:
    keeper.step(events=("e0-1", "e0-2", "e0-3"))
    words = [
        ("e0-3", "fraud", "analyst", 7),
        ("e0-1", "fraud", "analyst", 9),
        ("e0-2", "fraud", "analyst", 8),
    ]
    assert keeper.step(*words) == [("e0-3", 1), ("e0-2", 1), ("e0-1", 1)]


def test_an_event_far_back_is_found(keeper: Keeper) -> None:
    keeper.step(events=("e0-1", "e0-2"))
    year = 365 * 24 * 60
    assert keeper.step(("e0-2", "fraud", "analyst", year), ("nobody", "fraud", "analyst", year)) == [
        ("e0-2", 1)
    ]
    assert keeper.waiting() == ["nobody"]


def test_nothing_is_routed_where_the_step_fails(keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper.step(events=("e0-1",))
    monkeypatch.setattr("training.keeper.routing.log", None)  # the last thing that is done
    with pytest.raises(AttributeError):
        keeper.step(FRAUD)
    monkeypatch.undo()
    assert rows_of(keeper.store, "FROM outbox") == []
    assert keeper.step(FRAUD) == [("e0-1", 1)]


def test_a_restart_goes_on_with_the_next_number(keeper: Keeper, pipeline: Pipeline) -> None:
    keeper.step(FRAUD, ("e0-7", "fraud", "analyst", 6), events=("e0-1", "e0-2"))
    restarted = Keeper(keeper.store, counting_frauds(pipeline))
    assert restarted.step(("e0-2", "fraud", "analyst", 8)) == [("e0-2", 1)]
    assert restarted.step(events=("e0-7",)) == [("e0-7", 1)]


def test_what_came_before_any_feature_counted_outcomes_is_routed_when_one_does(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    store = open_keeper_store(tmp_path / STORE, pipeline)
    before = Keeper(store, pipeline)
    assert before.step(FRAUD, ("e0-9", "fraud", "analyst", 5), events=("e0-1",)) == []
    store.close()
    declared = counting_frauds(pipeline)
    store = open_keeper_store(tmp_path / STORE, declared)
    after = Keeper(store, declared)
    assert rows_of(store, "FROM routed") == [{"event_id": "e0-1", "fraud": 1}]
    assert after.waiting() == ["e0-9"]
    Keeper(store, declared)
    assert len(rows_of(store, "FROM outbox")) == 1
    store.close()


def test_what_was_routed_before_a_field_was_an_entity_says_what_it_was_once_it_is(
    keeper: Keeper, pipeline: Pipeline, tmp_path: Path
) -> None:
    def holders(store: Connection, table: str) -> list[Any]:
        return [row["entity_holder"] for row in rows_of(store, f"FROM {table} ORDER BY route_seq")]

    keeper.step(FRAUD, ("e1-2", "fraud", "analyst", 6), events=("e0-1", "e1-2"))
    keeper.store.execute("INSERT INTO deltas BY NAME SELECT * EXCLUDE (arrived_at), 9 AS seq FROM outbox")
    keeper.store.close()
    wider = counting_frauds(counting_frauds(pipeline), "holder")
    store = open_keeper_store(tmp_path / STORE, wider)
    assert holders(store, "deltas") == holders(store, "outbox") == ["h1", "h2"]
    again = Keeper(store, wider)
    assert again.step(TAKEN_BACK) == [("e0-1", -1)]
    assert holders(store, "outbox") == ["h1", "h2", "h1"]
    store.close()
    store = open_keeper_store(tmp_path / STORE, counting_frauds(pipeline))  # declared no more
    assert Keeper(store, counting_frauds(pipeline)).step(("e0-1", "fraud", "analyst", 12)) == [("e0-1", 1)]
    assert holders(store, "outbox") == ["h1", "h2", "h1", None]
    store.close()
    store = open_keeper_store(tmp_path / STORE, wider)
    assert holders(store, "outbox") == ["h1", "h2", "h1", "h1"]
    store.close()


def test_another_order_of_sources_is_another_truth(keeper: Keeper, pipeline: Pipeline) -> None:
    keeper.step(FRAUD, ("e0-1", "legitimate", "chargeback", 6), events=("e0-1",))
    assert rows_of(keeper.store, "FROM routed") == [{"event_id": "e0-1", "fraud": 1}]
    declared = counting_frauds(pipeline)
    turned = declared.outcomes.model_copy(
        update={"sources": dict(reversed(declared.outcomes.sources.items()))}
    )
    Keeper(keeper.store, declared.model_copy(update={"outcomes": turned}))
    assert rows_of(keeper.store, "FROM routed") == [{"event_id": "e0-1", "fraud": 0}]
