"""The sink: feature log, decisions and outcomes into DuckDB, exactly once.

A step is
1. take what has come, in the order of each partition;
2. turn it into Arrow tables; a malformed outcome is kept as refused, anything else malformed is an error;
3. write rows, offsets and what the outcomes mean for features in one DuckDB transaction;
4. tell clock and waiting threads.

Where sink workers are declared, step 2 is theirs: feature log and decisions come as files (``handed``).

A kill at any point leaves rows and offsets agreeing, and a start seeks to the offsets.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import structlog

from feature_store.duck import relations
from streams.kafka import Message, TopicPartition, reader
from training.keeper.counted import Counted
from training.keeper.definitions import add_definitions
from training.keeper.handed import Handed
from training.keeper.log_rows import log_tables
from training.keeper.outbox import recover_outbox
from training.keeper.queries import sql
from training.keeper.routing import Router
from training.keeper.rows import decision_tables, offset_table, outcome_tables
from training.keeper.start import starting_offsets
from training.keeper.store import columns_of, fill_entities, newest_arrival, transaction
from training.sink.reading import reached_end

if TYPE_CHECKING:
    from collections.abc import Iterator

    from training.keeper.handed import Given
    from training.keeper.parts import Parts
    from training.keeper.progress import Offsets

_MOST_MESSAGES = 20_000
_MOST_BYTES = 32 * 1024 * 1024
_ONE_CALL = 1_000
_GATHER_S = 0.2

log = structlog.get_logger()


class Sink:
    """Moves records into the store; used by one thread."""

    def __init__(self, parts: Parts) -> None:
        """Seek to the stored offsets. Raises StorageError when records in between are gone."""
        self._store = parts.store
        self._clock = parts.clock
        self._progress = parts.progress
        self._topics = parts.pipeline.topics
        self._writing = parts.writing
        self._known = {table: set(columns_of(self._store, table)) for table in ("scored", "deltas")}
        self._fields = parts.pipeline.outcome_fields
        self._amends = parts.pipeline.features.late == "amend"
        self._late_came = parts.late_came
        self._router = Router(self._store, parts.pipeline)
        self._counted = Counted.read(self._store)
        self._clock.observe(newest_arrival(self._store))
        self._consumer = reader(parts.settings.bootstrap, end_events=True)
        try:
            offsets = starting_offsets(self._consumer, parts)
            recover_outbox(parts)
            with self._transaction():
                self._router.begin(self._clock.now())
            self._handed = Handed(parts, self._consumer) if parts.pipeline.training.sink.workers else None
            own = self._topics.outcomes if self._handed else None
            self._consumer.assign(
                [TopicPartition(topic, p, at) for (topic, p), at in offsets.items() if own in {None, topic}]
            )
        except BaseException:
            self._consumer.close()
            raise
        self._progress.advance(offsets)
        if self._handed is not None:
            self._handed.tell(offsets)

    def close(self) -> None:
        """Leave Kafka; the store stays open."""
        self._consumer.close()

    def step(self) -> int:
        """Sink what has come, waiting a moment for it. Returns how many records went in.

        Raises BrokerError, StorageError, ContractError; the store then still agrees with its offsets.
        """
        sunk = self._progress.offsets()
        given = [] if self._handed is None else self._handed.waiting(sunk)
        messages, offsets = self._take(0.0 if given else _GATHER_S)
        offsets |= {(each.topic, each.name.partition): each.name.next for each in given}
        passed = any(at > sunk.get(place, 0) for place, at in offsets.items())  # also where nothing counts
        if passed or self._router.due(self._clock.now()):
            self._write(messages, offsets, given)
        if offsets:
            self._progress.advance(offsets)
        if self._handed is not None and given:
            self._handed.tell(self._progress.offsets())
        return len(messages) + len(given)

    def _take(self, gather_s: float) -> tuple[list[Message], Offsets]:
        messages: list[Message] = []
        offsets: Offsets = {}
        size, left, until = 0, gather_s, time.monotonic() + gather_s
        while len(messages) < _MOST_MESSAGES and size < _MOST_BYTES and left >= 0:
            for message in self._consumer.consume(_ONE_CALL, left):
                error = message.error()
                if error is None:
                    messages.append(message)
                    size += len(message)
                elif not reached_end(message, error):
                    continue
                at = message.topic() or "", message.partition() or 0
                offsets[at] = (message.offset() or 0) + (error is None)
            left = until - time.monotonic()
        return messages, offsets

    def _write(self, messages: list[Message], offsets: Offsets, given: list[Given]) -> None:
        topics = self._topics
        by_topic: dict[str, list[Message]] = {topics.features: [], topics.decisions: [], topics.outcomes: []}
        for message in messages:
            by_topic[message.topic() or ""].append(message)
        scored = outcomes = None
        counted = self._counted.copy()
        with self._transaction():
            if found := by_topic[topics.features]:
                scored = self._add_log(found, counted)
            if found := by_topic[topics.decisions]:
                decisions, amendments = decision_tables(found)
                self._insert("decisions", counted.first(decisions))
                self._insert("amendments", amendments)
            if found := by_topic[topics.outcomes]:
                outcomes = self._add_outcomes(found)
            newest, late = (0, False) if scored is None else (_newest(scored), self._to_amend(scored))
            if self._handed is not None and given:
                scored, newest, late = self._handed.take(given, counted)
            self._router.route(outcomes, scored, max(newest, self._clock.now()))
            self._move(offsets)
        self._counted = counted
        self._clock.observe(newest)
        if late:
            self._late_came.set()

    def _add_log(self, messages: list[Message], counted: Counted) -> pa.Table | None:
        tables = log_tables(messages, counted.claims)
        if tables is None:
            return None
        self._insert("scored", tables.scored)
        self._insert("deltas", tables.deltas)
        if tables.deltas.num_rows:  # of a scorer that ran an older declaration
            fill_entities(
                self._store, "deltas", [f for f in self._fields if f"entity_{f}" not in tables.said]
            )
        self._insert("batches", tables.batches)
        if self._to_amend(tables.scored):
            late = {"incoming": tables.scored, "incoming_batches": tables.batches, "traces": tables.traces}
            with relations(self._store, **late):
                self._store.execute(sql("add_late_events"))
        add_definitions(self._store, tables.definitions)
        return tables.scored

    def _to_amend(self, scored: pa.Table) -> bool:
        return self._amends and bool(pc.any(scored["late"]).as_py())

    def _add_outcomes(self, messages: list[Message]) -> pa.Table:
        outcomes, refused = outcome_tables(messages, self._clock)
        self._insert("outcomes", outcomes)
        self._insert("outcomes_refused", refused)
        if refused.num_rows:
            log.warning("outcomes_refused", count=refused.num_rows, first=refused["reason"][0].as_py())
        return outcomes

    def _move(self, offsets: Offsets) -> None:
        with relations(self._store, incoming_offsets=offset_table(offsets)):
            self._store.execute(sql("move_offsets"))

    def _insert(self, name: str, table: pa.Table) -> None:
        if table.num_rows:
            known = self._known.get(name)
            if known is not None:  # a column that is declared no more, in an older message
                table = table.select([column for column in table.column_names if column in known])
            with relations(self._store, incoming=table):
                self._store.execute(f"INSERT INTO {name} BY NAME FROM incoming")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._writing, transaction(self._store):
            yield


def _newest(scored: pa.Table) -> int:
    newest = pc.max(scored["arrived_at"]).cast(pa.int64()).as_py()
    return int(newest) if newest is not None else 0
