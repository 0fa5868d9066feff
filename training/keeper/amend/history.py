"""What a late event's features count: the stored events of the same entities, within the longest window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from feature_store.duck import quoted, relations
from feature_store.offline.plan import groups
from training.keeper.queries import sql

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duck import Connection
    from feature_store.offline.plan import Group

_ORDER = ("source_partition", "seq", "decided_seq")
_LET_THROUGH = "coalesce(row.action = 'approve', false) AS let_through"


class LateHistory:
    """Reads from the store what the twin needs for some late events, and no more."""

    def __init__(self, pipeline: Pipeline) -> None:
        event = pipeline.event
        names = dict.fromkeys([*event.fields, *_ORDER])
        self._columns = ", ".join([*(f"row.{quoted(name)}" for name in names), _LET_THROUGH])
        self._time = event.time
        self._groups = groups(pipeline.features.window_features(), pipeline)
        self._reach = max((feature.reach for feature in pipeline.features.window_features()), default=0)

    def events(self, store: Connection, late: pa.Table) -> pa.Table:
        """``late`` (rows of ``scored``) and every event that one of its windows can hold, each once."""
        parts = [self._itself(), *(self._before(group) for group in self._groups)]
        with relations(store, asked=late):
            found: pa.Table = store.sql(" UNION ".join(parts)).to_arrow_table()
        return found

    def deltas(self, store: Connection, late: pa.Table) -> pa.Table:
        """The outcome deltas that were applied to events of that time."""
        times = late[self._time].cast(pa.int64())
        since, until = pc.min(times).as_py() - self._reach, pc.max(times).as_py()
        given = {"since": since, "until": until}
        found: pa.Table = store.sql(sql("deltas_between"), params=given).to_arrow_table()
        return found

    def _itself(self) -> str:
        return (
            f"SELECT {self._columns} FROM scored AS row "  # noqa: S608  (declared names, quoted)
            "SEMI JOIN asked ON row.source_partition = asked.source_partition AND row.seq = asked.seq"
        )

    def _before(self, group: Group) -> str:
        """Events of the same entity that were applied before, as far back as the group's longest window."""
        reach = max(feature.reach for feature in group.features)
        same = [*group.entity, *(["source_partition"] if group.per_partition else [])]
        time = quoted(self._time)
        conditions = [
            *(f"row.{quoted(name)} = asked.{quoted(name)}" for name in same),
            "row.seq < asked.seq",
            f"epoch_us(row.{time}) <= epoch_us(asked.{time})",
            f"epoch_us(row.{time}) > epoch_us(asked.{time}) - {reach}",
        ]
        return (
            f"SELECT {self._columns} FROM scored AS row SEMI JOIN asked "  # noqa: S608  (as above)
            f"ON {' AND '.join(conditions)}"
        )
