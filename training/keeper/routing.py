"""Routing: what became known about events turns into deltas for the features that count outcomes.

In the transaction in which outcomes and events are sunk,
1. the events are found whose truth may have changed: outcomes came, or the row that they waited for;
2. their truth, by the labels' own SQL, is compared with what was routed before;
3. where the two differ, a delta with the next ``route_seq`` goes to the outbox; one whose event has not come
   waits.

An imported history may know outcomes ahead of the clock; each is routed when the clock reaches it.

The outbox is the record: what is routed is the sum of its deltas, so nothing is ever updated in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import structlog

from feature_store.duck import relations
from feature_store.units import FIRST_INSTANT
from training.dataset.labels import TRUTHS
from training.keeper.queries import sql
from training.keeper.store import rows

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duck import Connection

_NEAR = 4
"""Events are looked for among those that arrived this many maturities before the outcome, then among all:
rows are stored as they arrive, so that a stretch of time is read and not the whole history."""

log = structlog.get_logger()


class Router:
    """Writes deltas through one connection, inside the transaction that its caller has begun.

    ``now`` is the pipeline's clock (us).
    """

    def __init__(self, store: Connection, pipeline: Pipeline) -> None:
        self._store = store
        self._precedence = list(pipeline.outcomes.sources)
        self._near = _NEAR * pipeline.outcomes.maturity
        self._fields = pipeline.outcome_fields
        self._again = _columns(
            "event_time, let_through, changed.arrived_at", [f'"entity_{name}"' for name in self._fields]
        )
        self._new = _columns(
            "event_time, coalesce(action = 'approve', false) AS let_through, "
            "greatest(changed.arrived_at, scored.arrived_at) AS arrived_at",
            [f'scored."{name}" AS "entity_{name}"' for name in self._fields],
        )

    def begin(self, now: int) -> None:
        """Route what came while no feature counted outcomes, and what another order of sources changes."""
        wanted = self._precedence if self._fields else None
        if rows(self._store, "routing")[0]["precedence"] == wanted:
            return
        if wanted is not None:
            self.route_all(now)
        self._store.execute(sql("set_precedence"), {"precedence": wanted})

    def due(self, now: int) -> bool:
        """Whether an imported outcome has its time by ``now`` (us)."""
        return bool(self._fields) and self._is("any_due", {"now": now})

    def route(self, outcomes: pa.Table | None, events: pa.Table | None, now: int) -> None:
        """Route what these rows, which are in the store by now, have changed, and what is due."""
        if not self._fields or (outcomes is None and not self._is("any_waiting") and not self.due(now)):
            return
        none = pa.table({"event_id": pa.array([], pa.string()), "label": pa.array([], pa.string())})
        given = {
            "incoming_outcomes": none if outcomes is None else outcomes.select(["event_id", "label"]),
            "incoming_events": none if events is None else events.select(["event_id"]),
        }
        with relations(self._store, **given):
            touched = self._store.sql(sql("touched"), params={"now": now}).to_arrow_table()
        self._settle(touched, now)

    def route_all(self, now: int) -> None:
        """Compare the truth about every event with what is routed."""
        if self._fields:
            self._settle(self._store.sql(sql("touched_all")).to_arrow_table(), now)

    def _is(self, name: str, parameters: dict[str, int] | None = None) -> bool:
        return bool(self._store.execute(sql(name), parameters or {}).fetchall()[0][0])

    def _settle(self, touched: pa.Table, now: int) -> None:
        if not touched.num_rows:
            return
        with relations(self._store, touched=touched):
            changed = self._store.sql(
                sql("changed").format(truths=TRUTHS), params={"precedence": self._precedence, "now": now}
            ).to_arrow_table()
            self._store.execute(sql("no_longer_waiting"))
            self._store.execute(sql("no_longer_to_come"), {"now": now})
        if changed.num_rows:
            self._add(changed)

    def _add(self, changed: pa.Table) -> None:
        placed = self._placed(changed)
        with relations(self._store, placed=placed, changed=changed):
            self._store.execute(sql("add_deltas"), {"last": rows(self._store, "routing")[0]["last"]})
            self._store.execute(sql("now_waiting"))
        log.info("outcomes_routed", deltas=placed.num_rows, waiting=changed.num_rows - placed.num_rows)

    def _placed(self, changed: pa.Table) -> pa.Table:
        """The changes whose event has come, with all that their deltas say."""
        placed = []
        new = changed.filter(pc.invert(changed["routed_before"]))
        if new.num_rows < changed.num_rows:
            placed.append(self._ask(changed, f"SELECT {self._again} {sql('place_again')}", {}))
        if new.num_rows:
            query = f"SELECT {self._new} {sql('place_new')}"
            since = pc.min(new["arrived_at"]).cast(pa.int64()).as_py() - self._near
            placed.append(self._ask(new, query, {"since": max(since, FIRST_INSTANT)}))
            missing = new.filter(pc.invert(pc.is_in(new["event_id"], placed[-1]["event_id"])))
            if missing.num_rows:
                placed.append(self._ask(missing, query, {"since": FIRST_INSTANT}))
        return pa.concat_tables(placed)

    def _ask(self, changed: pa.Table, query: str, parameters: dict[str, int]) -> pa.Table:
        with relations(self._store, changed=changed):
            answer: pa.Table = self._store.sql(query, params=parameters).to_arrow_table()
        return answer


def _columns(own: str, entity: list[str]) -> str:
    return ", ".join(
        [
            "changed.event_id",
            "source_partition",
            own,
            *entity,
            "changed.delta AS fraud",
            'changed."partition"',
            'changed."offset"',
        ]
    )
