"""What is on the topics after the stream: read back committed, from the first record to the last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa

from console.demo.audit import Amendment, Audit, Position, audit
from console.reading import headers_of
from feature_store import duck
from feature_store.clock import ARRIVED_AT, clock_named
from feature_store.errors import ContractError
from feature_store.units import from_text
from streams.kafka import Message, read_to_end
from streams.messages import Amended, Release, Source
from streams.messages.model import release_key
from training.dataset.labels import matured_labels
from training.evaluation.ranking import average_precision
from training.keeper.rows import outcome_tables

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline

_INSTANT = pa.timestamp("us")
_COLUMNS: dict[str, pa.DataType] = {
    "event_id": pa.string(),
    "event_time": _INSTANT,
    "arrived_at": _INSTANT,
    "action": pa.string(),
    "policy_action": pa.string(),
    "propensity": pa.float64(),
    "score": pa.float64(),
    "model": pa.string(),
    "release": pa.int64(),
}


class _Decided(msgspec.Struct, frozen=True):
    """The part of a decision that is judged."""

    event_id: str
    event_time: str
    action: str
    policy_action: str
    propensity: float
    score: float | None
    model: str | None
    release: int
    source: Source
    amends: Amended | None = None


@dataclass(frozen=True)
class ChampionQuality:
    """How well one champion ranked the matured events that it decided."""

    model: str
    events: int
    frauds: int
    average_precision: float | None


@dataclass(frozen=True)
class ReadBack:
    """Everything that the topics tell about a run."""

    audit: Audit
    published: list[Release]
    epochs_decided: list[int]
    qualities: list[ChampionQuality]


def read_back(bootstrap: str, pipeline: Pipeline) -> ReadBack:
    """Read every topic and judge. Raises BrokerError, or ContractError for a record that is malformed."""
    topics = pipeline.topics
    ids: list[tuple[Position, str | None]] = []
    arrivals: dict[Position, int] = {}
    for message in read_to_end(bootstrap, topics.events):
        position = _position(message)
        ids.append((position, _event_id(message.value(), pipeline.event.id)))
        arrivals[position] = int(headers_of(message).get(ARRIVED_AT, "0")) * 1_000
    places: dict[Position, str] = {}
    decided: list[_Decided] = []
    amended: list[Amendment] = []
    for message in read_to_end(bootstrap, topics.decisions):
        one = _decision(message)
        if one.amends is None:
            places[_position(message)] = one.event_id
            decided.append(one)
        else:
            amended.append(((one.amends.partition, one.amends.offset), one.event_id))
    return ReadBack(
        audit=audit(
            ids,
            ((_of(one.source), one.event_id) for one in decided),
            (_buried(message) for message in read_to_end(bootstrap, topics.dead_letters)),
            amended,
            places,
        ),
        published=_releases(bootstrap, pipeline),
        epochs_decided=sorted({one.release for one in decided if one.model is not None}),
        qualities=_qualities(bootstrap, pipeline, decided, arrivals),
    )


def _position(message: Message) -> Position:
    return message.partition() or 0, message.offset() or 0


def _of(source: Source) -> Position:
    return source.partition, source.offset


def _event_id(value: str | bytes | None, field: str) -> str | None:
    try:
        found = msgspec.json.decode(value or b"")
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    given = found.get(field) if isinstance(found, dict) else None
    return given if isinstance(given, str) else None


def _decision(message: Message) -> _Decided:
    try:
        return msgspec.json.decode(message.value() or b"", type=_Decided)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ContractError(f"{message.topic()}{_position(message)}: not a decision: {error}") from error


def _buried(message: Message) -> Position:
    headers = headers_of(message)
    try:
        return int(headers["source_partition"]), int(headers["source_offset"])
    except (KeyError, ValueError) as error:
        raise ContractError(f"{message.topic()}{_position(message)}: its headers name no source") from error


def _releases(bootstrap: str, pipeline: Pipeline) -> list[Release]:
    key = release_key(pipeline.name)
    records = read_to_end(bootstrap, pipeline.topics.models)
    return [
        msgspec.json.decode(message.value() or b"", type=Release)
        for message in records
        if message.key() == key and message.value()
    ]


def _qualities(
    bootstrap: str, pipeline: Pipeline, decided: list[_Decided], arrivals: dict[Position, int]
) -> list[ChampionQuality]:
    """Per champion in the order of their releases, by the labels that training itself uses."""
    outcomes, _ = outcome_tables(
        list(read_to_end(bootstrap, pipeline.topics.outcomes)), clock_named(pipeline.clock)
    )
    newest_told = pa.compute.max(outcomes["arrived_at"].cast(pa.int64())).as_py() or 0
    as_of = max(newest_told, max(arrivals.values(), default=0))
    connection = duck.memory()
    try:
        connection.register("scored", _scored(decided, arrivals))
        connection.register("outcomes", outcomes)
        labelled = matured_labels(connection, pipeline, as_of, columns="model, release, score, label, weight")
    finally:
        connection.close()
    models = np.array(labelled["model"].to_pylist(), object)
    release = labelled["release"].to_numpy()
    score = labelled["score"].to_numpy()
    fraud = np.array(labelled["label"].to_pylist(), object) == "fraud"
    weight = labelled["weight"].to_numpy()
    first = {
        str(model): release[models == model].min()
        for model in dict.fromkeys(models.tolist())
        if model is not None
    }
    return [
        _quality(model, fraud[models == model], score[models == model], weight[models == model])
        for model in sorted(first, key=lambda model: first[model])
    ]


def _quality(model: str, fraud: np.ndarray, score: np.ndarray, weight: np.ndarray) -> ChampionQuality:
    area = average_precision(fraud, score, weight)
    return ChampionQuality(model, len(fraud), int(fraud.sum()), None if np.isnan(area) else round(area, 4))


def _scored(decided: list[_Decided], arrivals: dict[Position, int]) -> pa.Table:
    rows = [
        (
            one.event_id, from_text(one.event_time), arrivals.get(_of(one.source), 0), one.action,
            one.policy_action, one.propensity, one.score, one.model, one.release,
        )
        for one in decided
    ]  # fmt: skip
    columns = zip(*rows, strict=True) if rows else ((),) * len(_COLUMNS)
    return pa.table(
        {name: pa.array(column, kind) for (name, kind), column in zip(_COLUMNS.items(), columns, strict=True)}
    )
