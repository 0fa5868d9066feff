"""Labels as they were known at one moment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from feature_store.duck import write_parquet
from feature_store.units import to_datetime

if TYPE_CHECKING:
    from datetime import datetime

    import pyarrow as pa

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duck import Connection

WEIGHT_CAP = 50.0
"""The most events that one event of the control group may stand for: beyond it, one row rules the fit."""


def _read(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


TRUTHS = _read("truths.sql").rstrip()
"""SQL: what is true about each event, by what is known; whoever needs a label takes it from here."""

_LABELS = _read("labels.sql").replace("/* truths.sql */", TRUTHS)


def matured_until(pipeline: Pipeline, as_of: int) -> int:
    """The newest event time (us) whose silence means legitimate at ``as_of`` (us)."""
    return as_of - pipeline.outcomes.maturity


def matured_labels(
    connection: Connection,
    pipeline: Pipeline,
    as_of: int,
    *,
    columns: str = "*",
    weight_cap: float = WEIGHT_CAP,
    only_to_fit: bool = False,
    since: int = 0,
) -> pa.Table:
    """The matured events that models may be judged by, with the labels known at ``as_of`` (us).

    Their columns, ``label`` and ``weight``; with ``only_to_fit`` also those that are only fitted on, whose
    weight is 0. ``connection`` must have the relations ``scored`` and ``outcomes``, as ``labels.sql``
    describes them. ``since`` leaves out what arrived before it (us). ``columns`` narrows the result; it is
    SQL, never text from outside.
    """
    rows = "" if only_to_fit else "and weight > 0"
    query = f"select {columns} from ({_LABELS}) where arrived_at >= $since {rows}"  # noqa: S608  (the program's)
    parameters = _parameters(pipeline, as_of, weight_cap) | {"since": instant(since)}
    table: pa.Table = connection.sql(query, params=parameters).to_arrow_table()
    return table


def write_matured_labels(
    connection: Connection, pipeline: Pipeline, as_of: int, columns: str, file: Path
) -> None:
    """All of them into a Parquet file, oldest event first: DuckDB sorts on disk what memory does not hold."""
    query = (
        f"select {columns} from ({_LABELS}) "  # noqa: S608  (both parts are the program's own)
        "order by event_time, source_partition, source_offset"
    )
    write_parquet(connection, query, file, _parameters(pipeline, as_of, WEIGHT_CAP))


def _parameters(pipeline: Pipeline, as_of: int, weight_cap: float) -> dict[str, object]:
    return {
        "as_of": instant(as_of),
        "matured_until": instant(matured_until(pipeline, as_of)),
        "precedence": list(pipeline.outcomes.sources),
        "weight_cap": weight_cap,
    }


def instant(microseconds: int) -> datetime:
    """Microseconds since 1970 as a parameter of SQL, whose instants are zoneless UTC."""
    return to_datetime(microseconds).replace(tzinfo=None)
