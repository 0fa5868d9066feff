"""One decision on a page: what was done and why, everything it was decided by, and what became of it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from console.explain.view import in_words
from console.explain.words import policy_in_words, rule_in_words
from console.web.exact import ExactReasons
from console.web.lines import TONES, as_text, event_link, shown_lines
from console.web.masking import HIDDEN, personal, seen, seen_rule, sees_personal
from console.web.policy_buttons import listable, may_list, policy_buttons
from console.web.visitor import Role
from feature_store.declaration.texts import FeatureTexts, plain
from feature_store.units import from_text
from streams.messages import Decision
from training.keeper.evidence import told_evidence
from training.keeper.views.entities import entity_histories

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route

    from console.explain.reproduction import Reproduced
    from console.web.lines import Line
    from console.web.routing import Routes
    from console.web.site import Site
    from console.web.visitor import Visitor
    from feature_store.declaration.pipeline import Pipeline
    from streams.messages import Reason
    from training.keeper.evidence import Evidence
    from training.keeper.views.entities import EntityHistory

_HALF = 100.0
"""Per cent: the longest bar."""


@dataclass(frozen=True)
class FeatureLine:
    """A feature with its part in the margin (log-odds), None where it has none; ``less`` and ``more`` are the
    bar to either side, per cent.
    """

    name: str
    value: str
    text: str
    part: float | None
    less: float = 0.0
    more: float = 0.0


def routes(to: Routes) -> list[Route]:
    """The page, and the changes of the policy that it offers."""
    return [to.page("/decisions/event", "decision.html", OneDecision().shows), *policy_buttons(to)]


class OneDecision:
    """The page of one decision; keeps the exact reasons that were asked for lately."""

    def __init__(self) -> None:
        self._exact: ExactReasons | None = None
        self._one_at_a_time = threading.Lock()

    def shows(self, site: Site, request: Request, visitor: Visitor) -> dict[str, Any]:
        """What the template is given. Raises LookupError for an event that is not stored."""
        parts, asked = site.desk.parts, request.query_params
        event_id = asked.get("id", "")
        all_of_id = told_evidence(parts, event_id)
        found = _at(all_of_id, asked.get("at", ""))
        decision = _decoded(found.decision)
        made = self._reasons(site).of(found) if found.scored.model is not None else None
        return {
            **(facts := _facts(parts.pipeline, found, decision, made)),
            "rules": [seen_rule(parts.pipeline, visitor, each) for each in facts["rules"]],
            "event": {
                name: as_text(value) for name, value in seen(parts.pipeline, visitor, found.event).items()
            },
            "features": _features(site, visitor, found, decision, made),
            "others": [_link(each) for each in all_of_id if each is not found],
            "entities": _entities(site, visitor, found),
            "changed": changed if (changed := asked.get("policy", "")).isdecimal() else None,
            **_reviewing(site, visitor, found),
        }

    def _reasons(self, site: Site) -> ExactReasons:
        with self._one_at_a_time:
            if self._exact is None:
                self._exact = ExactReasons(site.desk.parts)
            return self._exact


def _facts(
    pipeline: Pipeline, found: Evidence, decision: Decision | None, made: Reproduced | None
) -> dict[str, Any]:
    """What was decided, and by what."""
    scored = found.scored
    return {
        "found": found,
        "scored": scored,
        "imported": scored.source_offset < 0,
        "at": f"{scored.source_partition}_{scored.source_offset}",
        "tone": TONES.get(scored.action, ""),
        "rules": [rule_in_words(found, pipeline, name) for name in scored.rules],
        "policy": policy_in_words(found),
        "decision": decision,
        "queue": decision.queue if decision and isinstance(decision.queue, str) else None,
        "amendments": [_decoded(each) for each in found.amendments],
        "made": made,
        "words": in_words(found, made) if made else None,
        "method": "treeshap" if made and made.base is not None else _method(decision),
        "base": made.base if made else None,
    }


def _reviewing(site: Site, visitor: Visitor, found: Evidence) -> dict[str, Any]:
    """What people said of it here, and what this one may do."""
    verdicts, event_id = site.desk.verdicts, found.event_id
    return {
        "word": verdicts.last_word(event_id) or "",
        "pending": event_id in verdicts.said(),
        "source": verdicts.source,
        "holder": verdicts.claims.holders().get(event_id),
        "may_say": visitor.may(Role.ANALYST),
        "listable": listable(site.desk.parts.pipeline, found.event) if may_list(visitor) else [],
    }


def _entities(
    site: Site, visitor: Visitor, found: Evidence
) -> list[tuple[dict[str, Any], EntityHistory, list[Line]]]:
    """Each of its entities, as the visitor may see it, with its history."""
    parts = site.desk.parts
    with parts.store.cursor() as cursor:
        histories = entity_histories(cursor, parts.pipeline, found.event, from_text(found.scored.arrived_at))
    return [
        (seen(parts.pipeline, visitor, each.fields), each, shown_lines(site, visitor, each.lines))
        for each in histories
    ]


def _at(found: list[Evidence], place: str) -> Evidence:
    """The one at ``place``; the newest where none is named."""
    for each in found:
        if place == f"{each.scored.source_partition}_{each.scored.source_offset}":
            return each
    if place:
        raise LookupError(f"event {found[0].event_id!r} is stored, but not at {place}")
    return found[-1]


def _decoded(message: str | None) -> Decision | None:
    return None if message is None else msgspec.json.decode(message, type=Decision)


def _method(decision: Decision | None) -> str | None:
    return decision.reasons[0].method if decision and decision.reasons else None


def _link(found: Evidence) -> tuple[str, str, str]:
    scored = found.scored
    link = event_link(found.event_id, scored.source_partition, scored.source_offset)
    return link, scored.arrived_at, scored.action


def _features(
    site: Site, visitor: Visitor, found: Evidence, decision: Decision | None, made: Reproduced | None
) -> list[FeatureLine]:
    """Every feature, those that weigh most first."""
    pipeline = site.desk.parts.pipeline
    told = made.reasons if made and made.base is not None else decision.reasons if decision else []
    parts = {reason.feature: reason.contribution for reason in told}
    longest = max(map(abs, parts.values()), default=0.0) or 1.0
    hidden = frozenset[str]() if sees_personal(visitor) else personal(pipeline)
    known = {feature.name: feature.hash for feature in pipeline.feature_vector}
    texts = FeatureTexts(pipeline)
    lines = []
    for name in [*_heaviest(told, found), *sorted(found.features.keys() - parts.keys())]:
        number = found.features[name]
        value = texts.value(name, float("nan") if number is None else number)
        shown = as_text(None) if value is None else plain(value)
        text = texts.text(name, value)
        if known.get(name) != found.hashes[name]:
            text = "not declared any more as it was then"
        if name in hidden and value is not None:
            shown, text = HIDDEN, HIDDEN
        part = parts.get(name)
        width = 0.0 if part is None else abs(part) / longest * _HALF
        less = part is not None and part < 0
        lines.append(FeatureLine(name, shown, text, part, width if less else 0.0, 0.0 if less else width))
    return lines


def _heaviest(told: list[Reason], found: Evidence) -> list[str]:
    ordered = sorted(told, key=lambda reason: -abs(reason.contribution))
    return [reason.feature for reason in ordered if reason.feature in found.features]
