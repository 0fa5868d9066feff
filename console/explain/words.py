"""What decided an event, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from training.keeper.evidence import Evidence


def policy_in_words(found: Evidence) -> str:
    """Which policy decided."""
    offset, document = found.policy_offset, found.policy
    if offset is None:
        return "not known"
    if offset < 0:
        return "the pipeline file's own"
    made = f"version {document.version} by {document.made_by}: {document.why}, " if document else ""
    return f"{made}offset {offset} of the policy topic"


def rule_in_words(found: Evidence, pipeline: Pipeline, name: str) -> str:
    """A rule with what it says, where that is known."""
    if found.policy is not None:
        said = [(rule.when, rule.action) for rule in found.policy.rules if rule.name == name]
    else:
        rules = (*pipeline.decision.rules, *pipeline.decision.cold_start)
        said = [(rule.when, rule.action.value) for rule in rules if rule.name == name]
    return f"{name}: {said[0][0]} ({said[0][1]})" if said else name
