"""A decision as a line of a list, whichever list it stands on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

from feature_store.duck import quoted, relations
from streams.messages import Decision
from training.dataset.labels import TRUTHS
from training.keeper.queries import sql
from training.keeper.store import asked, rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duck import Connection

Place = tuple[int, int]
"""Partition and offset of the event's own record."""

_decision = msgspec.json.Decoder(Decision)


class Listed(msgspec.Struct, frozen=True):
    """One line. Instants are us since 1970; ``fields`` are the declared fields that lists show.

    ``label`` is what is said to be true of the event, None where nobody said anything; ``stake`` is what a
    missed fraud would cost, times the score, in the amount's unit, None where nobody asked for it.
    """

    event_id: str
    event_time: int
    arrived_at: int
    source_partition: int
    source_offset: int
    action: str
    policy_action: str
    score: float | None
    margin: float | None
    model: str | None
    fallback: str | None
    rules: list[str]
    fields: dict[str, Any]
    stake: float | None = None
    label: str | None = None

    @property
    def place(self) -> Place:
        """Where its event stands."""
        return self.source_partition, self.source_offset

    @property
    def imported(self) -> bool:
        """Whether it is of an imported history, about which nothing was decided."""
        return self.source_offset < 0


def shown_fields(pipeline: Pipeline) -> tuple[str, ...]:
    """The declared fields that lists show: the key, what decisions carry, the amount at stake."""
    event, amount = pipeline.event, pipeline.decision.costs.amount
    wanted = [pipeline.whole.event.key, *event.passthrough, *([amount] if amount else [])]
    return tuple(name for name in dict.fromkeys(wanted) if name not in {event.id, event.time})


def columns(pipeline: Pipeline) -> str:
    """The columns of ``scored`` that ``listed`` wants."""
    plain = (
        "CAST(scored.event_id AS VARCHAR) AS event_id, epoch_us(event_time) AS event_time, "
        "epoch_us(scored.arrived_at) AS arrived_at, source_partition, source_offset, action, policy_action, "
        "score, margin, model, fallback, coalesce(rules, []) AS rules"
    )
    fields = [f"{quoted(name)} AS {quoted(f'field.{name}')}" for name in shown_fields(pipeline)]
    return ", ".join([plain, *fields])


def listed(row: dict[str, Any]) -> Listed:
    """A row of such columns, and ``stake`` where it has one."""
    own = {name: row[name] for name in Listed.__struct_fields__ if name in row}
    fields = {name.removeprefix("field."): row[name] for name in row if name.startswith("field.")}
    return Listed(**own, fields=fields)


def with_labels(store: Connection, pipeline: Pipeline, lines: Sequence[Listed]) -> list[Listed]:
    """The lines with what is known to be true of them."""
    ids = pa.table({"event_id": pa.array([each.event_id for each in lines], pa.string())})
    query = sql("decisions_truths").format(truths=TRUTHS)
    with relations(store, asked=ids):
        told = asked(store, query, {"precedence": list(pipeline.outcomes.sources)})
    labels = {str(row["event_id"]): str(row["label"]) for row in told}
    return [msgspec.structs.replace(each, label=labels.get(each.event_id)) for each in lines]


def sent_decisions(store: Connection, places: Iterable[Place]) -> dict[Place, Decision]:
    """The first decision about each place, as it was sent; without those that are not stored yet."""
    wanted = sorted(places)
    table = pa.table(
        {
            "source_partition": pa.array([place[0] for place in wanted], pa.int32()),
            "source_offset": pa.array([place[1] for place in wanted], pa.int64()),
        }
    )
    with relations(store, asked=table):
        found: list[dict[str, Any]] = list(rows(store, "decisions_messages"))
    return {
        (row["source_partition"], row["source_offset"]): _decision.decode(row["message"]) for row in found
    }
