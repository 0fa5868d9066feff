"""What becomes of late events: each is amended, or settled with the reason why it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from feature_store.columns import from_arrow
from feature_store.duck import relations
from streams.kafka import Trace, trace_from
from training.keeper.amend.acting import ActedUnder, NotKeptError
from training.keeper.amend.decision import Again
from training.keeper.amend.features import WholeWindows
from training.keeper.amend.gaps import Gaps
from training.keeper.queries import sql
from training.keeper.rows import schema_of, table_of
from training.keeper.store import rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from feature_store.duck import Connection
    from feature_store.expressions import Matrix
    from feature_store.vector import Bools
    from training.keeper.parts import Parts

UNCHANGED = "unchanged"
NO_SCORE = "no_score"
DECISION_GONE = "decision_gone"
HISTORY_INCOMPLETE = "history_incomplete"

_SETTLED = schema_of(
    ("source_partition", pa.int32()), ("source_offset", pa.int64()), ("settled", pa.string())
)

Place = tuple[int, int]


class Amendment(NamedTuple):
    """A message for the decisions topic."""

    partition: int
    key: bytes
    event_id: str
    model: str
    message: bytes
    trace: Trace


class Settling:
    """Looks at late events through one connection of the store."""

    def __init__(self, parts: Parts, store: Connection) -> None:
        self._parts = parts
        self._store = store
        self._pipeline = parts.pipeline
        self._whole = WholeWindows(parts.pipeline)
        self._again = Again(parts.pipeline)

    def any_waiting(self) -> bool:
        """Whether there is anything to look at."""
        return bool(self._store.execute(sql("any_late_waiting")).fetchall()[0][0])

    def waiting(self, most: int) -> pa.Table:
        """Late events that are not settled, in the order of each partition."""
        found: pa.Table = self._store.sql(sql("late_waiting"), params={"most": most}).to_arrow_table()
        return found

    def look(self, waiting: pa.Table) -> tuple[pa.Table, list[Amendment]]:
        """What is settled without a message (as ``store`` takes it), and the messages for the others."""
        settled: list[tuple[object, ...]] = []
        amendments: list[Amendment] = []
        if waiting.num_rows:
            for place, found in self._looked_at(waiting):
                if isinstance(found, Amendment):
                    amendments.append(found)
                else:
                    settled.append((*place, found))
        return table_of(_SETTLED, settled), amendments

    def store(self, settled: pa.Table) -> None:
        """Remember what was settled, in the caller's transaction."""
        if settled.num_rows:
            with relations(self._store, incoming=settled):
                self._store.execute(sql("settle"))

    def _looked_at(self, waiting: pa.Table) -> Iterator[tuple[Place, Amendment | str]]:
        with relations(self._store, asked=waiting):
            late: pa.Table = self._store.sql(sql("late_rows")).to_arrow_table()
            firsts = {
                (row["source_partition"], row["source_offset"]): _First.of(row)
                for row in rows(self._store, "late_decisions")
            }
        places = _places(late)
        gaps = Gaps(self._pipeline, self._store)
        reasons = [self._unfit(late, at, firsts.get(place), gaps) for at, place in enumerate(places)]
        yield from ((place, reason) for place, reason in zip(places, reasons, strict=True) if reason)
        fit = [at for at, reason in enumerate(reasons) if reason is None]
        if fit:
            under = ActedUnder(self._parts, self._store)
            yield from self._computed(late.take(fit), [firsts[places[at]] for at in fit], under)

    def _unfit(self, late: pa.Table, at: int, first: _First | None, gaps: Gaps) -> str | None:
        """Why the event cannot be looked at anew, if it cannot."""
        if late["score"][at].as_py() is None:
            return NO_SCORE
        if first is None:
            return DECISION_GONE
        time = late[self._pipeline.event.time][at].cast(pa.int64()).as_py()
        if gaps.reached_by(time, late["source_partition"][at].as_py()):
            return HISTORY_INCOMPLETE
        return None

    def _computed(
        self, late: pa.Table, firsts: list[_First], under: ActedUnder
    ) -> Iterator[tuple[Place, Amendment | str]]:
        whole = self._whole.of(self._store, late)
        for at, first in enumerate(firsts):
            row = late.slice(at, 1)
            (place,) = _places(row)
            yield place, self._result(row, whole.differs[at], whole.matrix[at : at + 1], first, under)

    def _result(
        self, row: pa.Table, differs: Bools, matrix: Matrix, first: _First, under: ActedUnder
    ) -> Amendment | str:
        """The model first: where its features are declared otherwise by now, nothing was compared."""
        model = row["model"][0].as_py()
        try:
            champion = under.champion(model)
            if not differs.any():
                return UNCHANGED
            policy = under.policy(row["asked.policy_offset"][0].as_py())
        except NotKeptError as error:
            return str(error)
        now = self._parts.clock.now()
        message = self._again.amended(row, matrix, champion, policy, first.message, first.place, now)
        if message is None:
            return NO_SCORE
        key = self._pipeline.event.key
        (value,) = from_arrow(self._pipeline.event.fields[key].type, row[key].combine_chunks())
        trace = trace_from(row["asked.trace"][0].as_py())
        return Amendment(first.place[0], str(value).encode(), first.event_id, model, message, trace)


def _places(late: pa.Table) -> list[Place]:
    """Where the events stand on their topic."""
    partitions, offsets = (late[name].to_numpy() for name in ("source_partition", "source_offset"))
    return list(zip(partitions.tolist(), offsets.tolist(), strict=True))


class _First(NamedTuple):
    """The decision that may be replaced: where it stands, and its message."""

    place: Place
    event_id: str
    message: str

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> _First:
        return cls((row["partition"], row["offset"]), row["event_id"], row["message"])
