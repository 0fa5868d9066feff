"""To whom outcomes belong that were logged before a field was the entity of any outcome feature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import structlog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_log = structlog.get_logger()


def with_entities(
    deltas: pa.Table, older: NDArray[np.bool_], fields: Sequence[str], events: Sequence[pa.Table]
) -> pa.Table:
    """``deltas`` with what they do not say about ``fields`` taken from their ``events``, by event id.

    ``older`` marks those that were logged without such a field. One whose event is not there stays null and
    counts for nobody; how many that are is logged.
    """
    unknown = np.zeros(deltas.num_rows, bool)
    for name in fields:
        unknown |= deltas.column(f"entity_{name}").is_null().to_numpy()
    if not unknown.any():
        return deltas
    wanted = deltas.column("event_id").combine_chunks()
    known = _events_of(wanted.filter(pa.array(unknown)), fields, events)
    ids = known.column("event_id").cast(pa.string()).combine_chunks()
    places: Any = pc.index_in(wanted, value_set=ids)
    lost = int((older & places.is_null().to_numpy(zero_copy_only=False)).sum())
    if lost:
        _log.warning("outcomes_without_event", count=lost, fields=list(fields))
    for name in fields:
        at = deltas.schema.get_field_index(f"entity_{name}")
        field: pa.Field[Any] = deltas.schema.field(at)
        found: Any = known.column(name).combine_chunks().cast(field.type).take(places)
        said: Any = pc.coalesce(deltas.column(at), found)
        deltas = deltas.set_column(at, field, said)
    return deltas


def _events_of(wanted: Any, fields: Sequence[str], events: Sequence[pa.Table]) -> pa.Table:
    """The wanted events, found without a copy of all the others."""
    names = list(dict.fromkeys(["event_id", *fields]))
    if not events:
        return pa.table({name: pa.array([], pa.string()) for name in names})
    table = pa.concat_tables([each.select(names) for each in events])
    ids = table.column("event_id").cast(pa.string())
    return table.filter(pc.is_in(ids, value_set=wanted))
