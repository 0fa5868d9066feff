"""A file of past events as records, in the order in which they happened.

The label becomes known ``delay`` after the event, so its outcome is released then; that delay is the same for
every row, so outcomes come in the order of their events and one queue merges both.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from feature_store import duck
from feature_store.errors import ConfigError
from feature_store.units import to_micros, to_text
from streams.messages import Label, Outcome
from streams.sources.columns import fraud_sql, instant_sql, json_sql, mapped_columns, text_sql
from streams.sources.past_file import opened
from streams.sources.timeline import Emission

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from feature_store.declaration.event import EventSpec
    from feature_store.declaration.pipeline import Pipeline

_BATCH = 8_192
_Row = tuple[int | None, str | None, str | None, str, bool]


@dataclass(frozen=True)
class Stretch:
    """``since <= event time < until``; None is open. Raises ConfigError without a UTC offset."""

    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        for name, moment in (("since", self.since), ("until", self.until)):
            if moment is not None and moment.tzinfo is None:
                raise ConfigError(f"{name} needs a UTC offset, for example 2018-04-01T00:00:00Z")

    def sql(self, instant: str) -> str:
        """The stretch as a condition on ``instant``."""
        parts = [
            f"{instant} {sign} make_timestamp({to_micros(moment)})"
            for sign, moment in ((">=", self.since), ("<", self.until))
            if moment is not None
        ]
        return " AND ".join(parts) or "true"


def replay(pipeline: Pipeline, file: Path, stretch: Stretch | None = None) -> Iterator[Emission]:
    """Events of ``file`` in order of event time (ties in file order) and their outcomes, by arrival.

    Frauds alone have an outcome: silence becomes legitimate by maturity. Raises ConfigError where the file
    cannot be read or does not fit ``event.file``; a value that does not fit is found while iterating.
    """
    event = pipeline.event
    connection, table, found = opened(file)
    query = _query(event, table, found, stretch or Stretch(), str(file))
    return _merged(event, file, _rows(connection, query, file))


def _merged(event: EventSpec, file: Path, rows: Iterator[_Row]) -> Iterator[Emission]:
    label = event.file.label
    pending: deque[tuple[int, str]] = deque()  # (known at, event id)
    for at, key, event_id, value, fraud in rows:
        if at is None or event_id is None:
            name = event.time if at is None else event.id
            raise ConfigError(
                f"{file}: a row has no {event.column_of(name)!r}; {name!r} is required to replay it"
            )
        while label is not None and pending and pending[0][0] <= at:
            yield _outcome(*pending.popleft(), label.source)
        yield Emission(at, "events", (key or "").encode(), value.encode())
        if fraud and label is not None:
            pending.append((at + label.delay, event_id))
    while label is not None and pending:
        yield _outcome(*pending.popleft(), label.source)


def _outcome(known_at: int, event_id: str, source: str) -> Emission:
    outcome = Outcome(event_id, Label.FRAUD, to_text(known_at), source)
    return Emission(known_at, "outcomes", event_id.encode(), msgspec.json.encode(outcome))


def _rows(connection: duck.Connection, query: str, file: Path) -> Iterator[_Row]:
    try:
        for batch in connection.sql(query).to_arrow_reader(_BATCH):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
    except duck.DuckError as error:
        raise ConfigError(f"{file}: cannot be replayed: {error}") from error
    finally:
        connection.close()


def _query(event: EventSpec, table: str, found: dict[str, str], stretch: Stretch, file: str) -> str:
    """Sort what the file holds, and put it into words after the sort, so that the sort stays small."""
    columns = mapped_columns(event, found, file)
    instant = instant_sql(columns[event.time], found[columns[event.time]], file)
    key, event_id = (
        text_sql(columns[name], event.fields[name].type, found[columns[name]], file)
        for name in (event.key, event.id)
    )
    return (
        f"SELECT epoch_us({instant}), {key}, {event_id}, "  # noqa: S608  (names and texts are quoted)
        f"{json_sql(event, columns, found, file)}, {fraud_sql(event.file.label)} "
        f"FROM (FROM (SELECT *, row_number() OVER () AS file_position FROM {table}) "
        f"WHERE {stretch.sql(instant)} ORDER BY {instant}, file_position)"
    )
