"""Decisions as pages list them: the newest first, filtered, page by page."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from feature_store.declaration.event import Kind
from feature_store.duck import quoted
from feature_store.units import LAST_INSTANT
from training.keeper.queries import sql
from training.keeper.store import asked, rows
from training.keeper.views.listed import Listed, columns, listed, sent_decisions, with_labels

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duck import Connection

_FIRST_STRETCH = 3_600_000_000
_WIDER = 8
_PATIENCE_S = 1.0
"""A search that finds little goes on where it was on the next page."""
_LAST = 2_147_483_647
"""Behind every partition: all that arrived at that instant follows."""


@dataclass(frozen=True)
class Position:
    """Between two decisions: what follows is older. ``arrived_at`` is us since 1970."""

    arrived_at: int
    partition: int
    offset: int

    @classmethod
    def of_text(cls, text: str) -> Self:
        """What ``str`` gave. Raises ValueError for anything else."""
        arrived_at, partition, offset = (int(each) for each in text.split("_"))
        if not 0 <= arrived_at <= LAST_INSTANT:
            raise ValueError(f"{arrived_at} is no instant")
        return cls(arrived_at, partition, offset)

    def __str__(self) -> str:
        return f"{self.arrived_at}_{self.partition}_{self.offset}"


@dataclass(frozen=True)
class Wanted:
    """Which decisions; None: any.

    ``text`` is sought in ``text_fields`` and the id; ``*`` at its end: anything may follow. ``since`` and
    ``until`` are arrivals, us since 1970. ``queue_rules``: the rules that ever sent events to ``queue``.
    """

    text: str | None = None
    text_fields: tuple[str, ...] = ()
    action: str | None = None
    model: str | None = None
    fallback: str | None = None
    rule: str | None = None
    queue: str | None = None
    queue_rules: tuple[str, ...] = ()
    least_score: float | None = None
    most_score: float | None = None
    since: int | None = None
    until: int | None = None
    before: Position | None = None
    most: int = 50


@dataclass(frozen=True)
class Found:
    """A page of them; ``next`` is where the next begins, None at the end.

    ``searched_to`` (us): where the search paused, out of patience or since it found the event whose id was
    sought; None where the page is full, or all was seen.
    """

    lines: list[Listed]
    next: Position | None
    searched_to: int | None = None


def searchable(pipeline: Pipeline, hidden: Collection[str] = ()) -> tuple[str, ...]:
    """The declared fields that a text is sought in: texts, the key, what decisions carry; not ``hidden``."""
    event = pipeline.event
    texts = [name for name, spec in event.fields.items() if spec.type.kind is Kind.STRING]
    names = dict.fromkeys([pipeline.whole.event.key, *texts, *event.passthrough])
    return tuple(name for name in names if name not in hidden)


def find_decisions(
    store: Connection, pipeline: Pipeline, wanted: Wanted, patience_s: float = _PATIENCE_S
) -> Found:
    """A page of decisions, the newest first.

    The search goes back stretch by stretch, each longer than the one before, while ``patience_s`` lasts.
    """
    lines: list[Listed] = []
    until, end = _reach(store, wanted)
    length, give_up = _FIRST_STRETCH, time.monotonic() + patience_s
    while until > end and not _enough(lines, wanted):
        began, after = time.monotonic(), max(end, until - length)
        lines += _between(store, pipeline, replace(wanted, most=wanted.most - len(lines)), (after, until))
        until, now = after, time.monotonic()
        if now > give_up:
            break
        length = int(length * min(_WIDER, max(1.0, (give_up - now) / max(now - began, 1e-6))))
    then, paused = None, None
    if len(lines) == wanted.most:
        then = Position(lines[-1].arrived_at, *lines[-1].place)
    elif until > end:
        then, paused = Position(until, _LAST, 0), until
    if wanted.queue is not None:
        lines = _queued(store, lines, wanted.queue)
    return Found(with_labels(store, pipeline, lines), then, paused)


def _enough(lines: list[Listed], wanted: Wanted) -> bool:
    """Whether the page is full, or has the one event whose id was sought."""
    return len(lines) == wanted.most or wanted.text in {each.event_id for each in lines}


def text_condition(text: str, fields: Collection[str], parameters: dict[str, object]) -> str:
    """SQL: whether the id or one of ``fields`` is ``text``, or begins so where it ends in ``*``."""
    sought = ["scored.event_id", *map(quoted, fields)]
    parameters["text"] = text.removesuffix("*")
    if text.endswith("*"):
        said = [f"starts_with(CAST({name} AS VARCHAR), $text)" for name in sought]
    else:
        said = [f"CAST({name} AS VARCHAR) = $text" for name in sought]
    return f"({' OR '.join(said)})"


def _reach(store: Connection, wanted: Wanted) -> tuple[int, int]:
    """Arrivals: the newest that may be among them, and the newest before all of them."""
    span = rows(store, "decisions_span")[0]
    first, last = span["first"], span["last"]
    if not isinstance(first, int) or not isinstance(last, int):
        return 0, 0
    known = [last, wanted.until, wanted.before.arrived_at if wanted.before else None]
    return min(each for each in known if each is not None), max(first, wanted.since or 0) - 1


def _between(store: Connection, pipeline: Pipeline, wanted: Wanted, stretch: tuple[int, int]) -> list[Listed]:
    parameters: dict[str, object] = {"after": stretch[0], "until": stretch[1], "most": wanted.most}
    conditions = _conditions(wanted, parameters)
    query = sql("decisions_between").format(
        columns=columns(pipeline), conditions="".join(f"AND {each} " for each in conditions)
    )
    return [listed(row) for row in asked(store, query, parameters)]


def _conditions(wanted: Wanted, parameters: dict[str, object]) -> Iterator[str]:
    """SQL; what people wrote goes through ``parameters``."""
    plain: dict[str, tuple[str, Any]] = {
        "action": ("action = $action", wanted.action),
        "model": ("model = $model", wanted.model),
        "fallback": ("fallback = $fallback", wanted.fallback),
        "rule": ("list_contains(rules, $rule)", wanted.rule),
        "least": ("score >= $least", wanted.least_score),
        "most_score": ("score <= $most_score", wanted.most_score),
    }
    for name, (condition, value) in plain.items():
        if value is not None:
            parameters[name] = value
            yield condition
    if wanted.queue is not None:
        parameters["queue_rules"] = list(wanted.queue_rules)
        yield "list_has_any(rules, $queue_rules)"
    if wanted.text:
        yield text_condition(wanted.text, wanted.text_fields, parameters)
    if wanted.before is not None:
        at = wanted.before
        parameters |= {"at": at.arrived_at, "at_partition": at.partition, "at_offset": at.offset}
        yield (
            "(arrived_at < make_timestamp($at) OR arrived_at = make_timestamp($at) AND (source_partition < "
            "$at_partition OR source_partition = $at_partition AND source_offset < $at_offset))"
        )


def _queued(store: Connection, lines: list[Listed], queue: str) -> list[Listed]:
    """Those that were sent to ``queue``: a rule may have named another one then."""
    sent = sent_decisions(store, [each.place for each in lines])
    return [each for each in lines if each.place in sent and sent[each.place].queue == queue]
