"""What sink workers wrote down, taken into the store: by offset, so that nothing is missed or taken twice.

Stretches may overlap, where a partition changed hands or a worker was killed: of each, what lies below the
partition's offset in the store is left out. What a scorer wrote that the group had given up is left out here,
too: a worker does not know which claim was in force before it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
import structlog

from feature_store.duck import literal, path_of, quoted, relations
from feature_store.errors import StorageError
from training.keeper.definitions import add_definitions
from training.keeper.log_rows import BATCHES, TRACES
from training.keeper.queries import sql
from training.keeper.store import columns_of, fill_entities
from training.sink.folder import Taken, folder_of, kinds_of
from training.sink.reading import cluster_of
from training.sink.stretch import LOG_OFFSET, Name, Stretch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from streams.kafka import Consumer
    from training.keeper.counted import Counted
    from training.keeper.parts import Parts
    from training.keeper.progress import Offsets
    from training.sink.stretch import LogMessage

_MOST_ROWS = 250_000
"""Of one transaction, about; more than DuckDB's 122,880 go into the file without a detour through its log."""
_TABLES = ("scored", "deltas", "decisions", "amendments")

log = structlog.get_logger()


@dataclass(frozen=True)
class Given:
    """A stretch to take, from ``at`` on."""

    name: Name
    stretch: Stretch
    at: int
    passed: list[int] = field(default_factory=list)
    """Offsets of its messages that do not count."""

    @property
    def topic(self) -> str:
        """Whose stretch it is."""
        return self.stretch.topic

    @property
    def where(self) -> str:
        """Which of its rows count, in SQL; nothing where all do."""
        own = quoted(LOG_OFFSET if self.name.kind == "features" else "offset")
        below = [f"{own} >= {self.at}"] if self.at > self.name.first else []
        passed = [f"{own} NOT IN ({', '.join(map(str, self.passed))})"] if self.passed else []
        return " AND ".join(below + passed)


class Handed:
    """Takes stretches through the sink's connection, inside the transaction that the sink has begun."""

    def __init__(self, parts: Parts, consumer: Consumer) -> None:
        """Raises BrokerError, StorageError."""
        self._store = parts.store
        self._cluster = cluster_of(consumer)
        self._folder = folder_of(parts.pipeline, parts.settings.state_dir)
        self._kinds = kinds_of(parts.pipeline)
        self._fields = parts.pipeline.outcome_fields
        self._amends = parts.pipeline.features.late == "amend"
        self._known = {table: columns_of(self._store, table) for table in _TABLES}

    def tell(self, offsets: Offsets) -> None:
        """Say how far the store is, and remove what it has. To be called when that is committed."""
        taken = Taken(self._cluster, {kind: {} for kind in self._kinds.values()})
        for (topic, partition), at in offsets.items():
            if topic in self._kinds:
                taken.offsets[self._kinds[topic]][partition] = at
        self._folder.tell_taken(taken)
        self._folder.clear(taken)

    def waiting(self, offsets: Offsets) -> list[Given]:
        """What may be taken now, of each partition without a gap: as much as one transaction should have.

        Raises StorageError for a stretch that is damaged, or of another cluster.
        """
        stretches = self._folder.stretches()
        reached = {(self._kinds[t], p): at for (t, p), at in offsets.items() if t in self._kinds}
        found: list[Given] = []
        rows, more = 0, True
        while more and rows < _MOST_ROWS:
            more = False
            for place, at in reached.items():
                name = _next(stretches.get(place, ()), at)
                if name is not None and rows < _MOST_ROWS:
                    given = Given(name, self._read(name), at)
                    found.append(given)
                    rows += sum(part.rows for part in given.stretch.parts.values())
                    reached[place] = name.next
                    more = True
        return found

    def take(self, given: Sequence[Given], counted: Counted) -> tuple[pa.Table | None, int, bool]:
        """Add their rows. Returns the new events' ids, where outcomes are routed by them; when the newest of
        them arrived (us); whether there are late ones whose decisions may be amended.
        """
        logs = [self._counting(each, counted) for each in given if each.name.kind == "features"]
        decided = [each for each in given if each.name.kind == "decisions"]
        self._insert("scored", logs)
        self._insert("deltas", logs)
        self._fill_deltas(logs)
        batches = self._add_batches(logs)
        late = self._amends and self._add_late(logs, batches)
        self._insert("decisions", [each for each in decided if self._all_new(each, counted)])
        self._insert("amendments", decided)
        newest = max((each.stretch.newest for each in logs), default=0)
        return self._ids(logs), newest, late

    def _read(self, name: Name) -> Stretch:
        stretch = self._folder.read(name)
        if stretch.cluster != self._cluster or self._kinds.get(stretch.topic) != name.kind:
            raise StorageError(
                f"{self._folder.path / str(name)}: of topic {stretch.topic!r} on another Kafka cluster, or "
                "of another pipeline; remove its files, and give each pipeline and cluster a folder of its "
                "own (training.sink.folder)"
            )
        return stretch

    def _counting(self, given: Given, counted: Counted) -> Given:
        for message in given.stretch.messages:
            if message.log_offset >= given.at and counted.claims.superseded(
                message.partition, message.log_offset, message
            ):
                given.passed.append(message.log_offset)
                where = f"{given.topic}[{message.partition}]@{message.log_offset}"
                log.warning("log_message_passed_over", where=where, claim=message.claim)
        return given

    def _insert(self, table: str, given: Sequence[Given]) -> None:
        having = [each for each in given if table in each.stretch.parts]
        whole = [each for each in having if not each.where]
        if whole:
            self._insert_from(table, whole, "")
        for each in having:
            if each.where:
                self._insert_from(table, [each], f"WHERE {each.where}")

    def _insert_from(self, table: str, given: Sequence[Given], where: str) -> None:
        parts = [each.stretch.parts[table] for each in given]
        present = dict.fromkeys(column for part in parts for column in part.columns)
        columns = ", ".join(quoted(column) for column in present if column in self._known[table])
        query = f"SELECT {columns} FROM {self._files(table, given)} {where}"  # noqa: S608  (our own names)
        answer = self._store.execute(f"INSERT INTO {table} BY NAME {query}").fetchall()
        expected = sum(part.rows for part in parts)
        if not where and answer[0][0] != expected:
            raise StorageError(
                f"{self._folder.path}: {table}: {answer[0][0]} rows in files whose manifests say {expected}"
            )

    def _files(self, table: str, given: Iterable[Given]) -> str:
        files = ", ".join(literal(path_of(self._folder.file(each.name, table))) for each in given)
        return f"read_parquet([{files}], union_by_name = true)"

    def _fill_deltas(self, logs: Sequence[Given]) -> None:
        said = [set(each.stretch.said) for each in logs if "deltas" in each.stretch.parts]
        if said:  # of a scorer that ran an older declaration
            everywhere = set.intersection(*said)
            fill_entities(self._store, "deltas", [f for f in self._fields if f"entity_{f}" not in everywhere])

    def _add_batches(self, logs: Sequence[Given]) -> pa.Table:
        messages = [message for each in logs for message in _counted_messages(each)]
        batches = pa.Table.from_pylist([msgspec.structs.asdict(message) for message in messages], BATCHES)
        with relations(self._store, incoming=batches):
            self._store.execute("INSERT INTO batches BY NAME FROM incoming")
        known = {digest: hashes for each in logs for digest, hashes in each.stretch.definitions.items()}
        add_definitions(self._store, {m.definitions: known[m.definitions] for m in messages})
        return batches

    def _add_late(self, logs: Sequence[Given], batches: pa.Table) -> bool:
        having = [each for each in logs if each.stretch.late]
        for each in having:
            counting = f"AND {each.where}" if each.where else ""
            query = (
                f"SELECT source_partition, source_offset, late FROM {self._files('scored', [each])} "  # noqa: S608
                f"WHERE late {counting}"
            )
            rows = self._store.sql(query).to_arrow_table()
            traces = pa.Table.from_pylist([msgspec.structs.asdict(t) for t in each.stretch.traces], TRACES)
            with relations(self._store, incoming=rows, incoming_batches=batches, traces=traces):
                self._store.execute(sql("add_late_events"))
        return bool(having)

    def _all_new(self, given: Given, counted: Counted) -> bool:
        """Whether every decision is the first about its event; adds the first ones itself where not."""
        if "decisions" not in given.stretch.parts:
            return False
        where = f"WHERE {given.where}" if given.where else ""
        source = f"{self._files('decisions', [given])} {where}"
        places = 'source_topic, source_partition, source_offset, "partition"'
        new = counted.new(self._store.sql(f"SELECT {places} FROM {source}").to_arrow_table())  # noqa: S608
        if new.all():
            return True
        table = self._store.sql(f"FROM {source}").to_arrow_table().filter(pa.array(new))
        with relations(self._store, incoming=table):
            self._store.execute("INSERT INTO decisions BY NAME FROM incoming")
        return False

    def _ids(self, logs: Sequence[Given]) -> pa.Table | None:
        having = [each for each in logs if "scored" in each.stretch.parts]
        if not having or not self._fields:
            return None
        query = f"SELECT event_id FROM {self._files('scored', having)}"  # noqa: S608  (our own names)
        ids: pa.Table = self._store.sql(query).to_arrow_table()
        return ids


def _counted_messages(given: Given) -> list[LogMessage]:
    passed = set(given.passed)
    return [m for m in given.stretch.messages if m.log_offset >= given.at and m.log_offset not in passed]


def _next(stretches: Iterable[Name], at: int) -> Name | None:
    """The stretch that goes on from ``at``, the one that reaches furthest."""
    going_on = [each for each in stretches if each.first <= at < each.next]
    return max(going_on, key=lambda each: each.next, default=None)
