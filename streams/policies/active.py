"""A policy document made ready to act.

The precedence (docs/discussions/policy.md says why):

1. on a deny list: declined, and the control group does not let it through;
2. on an allow list: approved;
3. the strongest of what the score asks for, the rules that match, and a review for what is watched;
4. a snooze turns a review into an approval; a decline stands;
5. the control group draws among what 3 and 4 stopped (``control.ControlDraw``).
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from feature_store.errors import ConfigError, PolicyError
from streams.policies.actions import APPROVE, DECLINE, REVIEW, strength_of
from streams.policies.checks import check_document, list_entries, snooze_entries
from streams.policies.document import FROM_FILE
from streams.policies.lists import Membership
from streams.policies.money import cheapest_actions, threshold_actions
from streams.policies.rules import RuleSet, scored_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa

    from feature_store.declaration.decision import Costs
    from feature_store.declaration.pipeline import Pipeline
    from streams.messages import PolicyDocument, PolicyRule
    from streams.models.engine import Vector
    from streams.policies.actions import Mask, Strengths


_NO_COLUMN = re.compile(r'Referenced column "(?P<name>[^"]+)" not found')


@dataclass(frozen=True)
class Ruled:
    """What a policy says about every event of a batch, before the control group.

    ``final``: its word stands, whatever the control group would draw. ``rules``: the names of what matched.
    ``queues``: the review queue of each event, None for the default one; empty where no rule names a queue.
    """

    actions: Strengths
    final: Mask
    rules: list[list[str]]
    queues: list[str | None]


@dataclass(frozen=True)
class ActivePolicy:
    """A policy that acts. ``offset`` is its place on the policy topic; -1: it is the pipeline file's own."""

    offset: int
    document: PolicyDocument
    rules: RuleSet | None
    lists: Membership
    snoozes: Membership

    def by_score(self, scores: Vector, margins: Vector, amounts: Vector, costs: Costs) -> Strengths:
        """What score and amount alone ask for."""
        thresholds, review_margin = self.document.thresholds, self.document.review_margin
        if thresholds is not None:
            return threshold_actions(scores, margins, thresholds, review_margin)
        return cheapest_actions(scores, margins, amounts, costs, review_margin)

    def rule(
        self,
        seen: pa.RecordBatch,
        scores: Vector,
        margins: Vector,
        wanted: Strengths,
        matched: Mapping[str, Mask],
        now: int,
    ) -> Ruled:
        """The action for every event; ``wanted`` is what its score, or the fallback, asks for.

        ``matched``: names that stand in the decisions beside the policy's own, with their events.
        """
        strongest, ruled = self._rules(seen, scores, margins)
        actions = np.maximum(wanted, strongest)
        names = {**ruled, **matched}
        denied = nobody = np.zeros(len(wanted), np.bool_)
        listed, snoozes = self.lists.matches(seen, now), self.snoozes.matches(seen, now)
        if listed or snoozes:
            denied, allowed, watched = (self._on(kind, listed, nobody) for kind in ("deny", "allow", "watch"))
            snoozed = _any(snoozes.values(), nobody)
            actions, quiet = _preferred(actions, denied, allowed, watched, snoozed)
            names |= {f"list:{name}": mask for name, mask in listed.items()}
            names |= {name: mask & quiet for name, mask in snoozes.items()}
        return Ruled(actions, denied, _names(names, len(wanted)), self._queues(ruled, actions))

    def _rules(
        self, seen: pa.RecordBatch, scores: Vector, margins: Vector
    ) -> tuple[Strengths, dict[str, Mask]]:
        if self.rules is None:
            return np.zeros(len(scores), np.int8), {}
        flags = self.rules.flags(seen, scores, margins)
        return self.rules.strongest(flags), self.rules.matched(flags)

    def _on(self, kind: str, listed: Mapping[str, Mask], nobody: Mask) -> Mask:
        names = {each.name for each in self.document.lists if each.kind == kind}
        return _any((mask for name, mask in listed.items() if name in names), nobody)

    def _queues(self, ruled: Mapping[str, Mask], actions: Strengths) -> list[str | None]:
        """The queue of the first matching rule that asked for what is done."""
        named = [rule for rule in self.document.rules if rule.queue is not None]
        if not named:
            return []
        queues: list[str | None] = [None] * len(actions)
        for rule in reversed(named):
            if rule.name in ruled:
                for row in np.flatnonzero(ruled[rule.name] & (actions == strength_of(rule.action))).tolist():
                    queues[row] = rule.queue
        return queues


def compile_policy(
    pipeline: Pipeline,
    document: PolicyDocument,
    offset: int = FROM_FILE,
    present: ActivePolicy | None = None,
) -> ActivePolicy:
    """Make a document ready to act; what it shares with the ``present`` policy is not compiled again.

    Raises PolicyError naming the rule, list or value that does not fit the pipeline, and the reason.
    """
    check_document(pipeline, document)
    before = present.document if present else None
    if present and before and before.rules == document.rules:
        rules = present.rules
    else:
        rules = _compiled_rules(scored_schema(pipeline), document.rules) if document.rules else None
    if present and before and before.lists == document.lists:
        lists = present.lists
    else:
        lists = Membership({each.name: (each.field, list_entries(pipeline, each)) for each in document.lists})
    snoozes = Membership(snooze_entries(pipeline, document.snoozes))
    return ActivePolicy(offset, document, rules, lists, snoozes)


def _compiled_rules(schema: pa.Schema, rules: list[PolicyRule]) -> RuleSet:
    try:
        return RuleSet(schema, rules, "rules")
    except ConfigError as error:
        text = str(error)
        if missing := _NO_COLUMN.search(text):
            close = difflib.get_close_matches(missing["name"], schema.names, n=1)
            text += f" Did you mean {close[0]!r}?" if close else f" There are {', '.join(schema.names)}."
        raise PolicyError(text) from None
    except RecursionError:
        raise PolicyError("rules: the condition of one is nested too deeply") from None


def _preferred(
    asked: Strengths, denied: Mask, allowed: Mask, watched: Mask, snoozed: Mask
) -> tuple[Strengths, Mask]:
    """The action by precedence, and where a snooze spared a review."""
    actions = np.where(watched, np.maximum(asked, np.int8(REVIEW)), asked)
    quiet = snoozed & (actions == REVIEW) & ~allowed & ~denied
    actions[quiet | allowed] = APPROVE
    actions[denied] = DECLINE
    return actions, quiet


def _any(masks: Iterable[Mask], nobody: Mask) -> Mask:
    return reduce(np.logical_or, masks, nobody)


def _names(matched: Mapping[str, Mask], rows: int) -> list[list[str]]:
    """The names of what matched each event; most events have none, and share one empty list."""
    names: list[list[str]] = [[]] * rows
    for name, mask in matched.items():
        for row in np.flatnonzero(mask).tolist():
            names[row] = [*names[row], name]
    return names
