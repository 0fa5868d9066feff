"""The pipeline file's own policy: what acts before the first document on the policy topic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.messages import EntityList, ListEntry, PolicyDocument, PolicyRule, Thresholds

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline

FROM_FILE = -1
"""The offset of the policy that stands in the pipeline file."""


def default_document(pipeline: Pipeline) -> PolicyDocument:
    """The ``decision`` section of the pipeline file as version 0; ``made_at`` is empty."""
    decision = pipeline.decision
    thresholds = decision.thresholds
    return PolicyDocument(
        pipeline=pipeline.name,
        version=0,
        made_at="",
        made_by="pipeline file",
        why="the decision section of the pipeline file",
        rules=[PolicyRule(rule.name, rule.when, rule.action.value, rule.queue) for rule in decision.rules],
        lists=[
            EntityList(each.name, each.kind, each.field, [ListEntry(value) for value in each.values])
            for each in decision.lists
        ],
        thresholds=None if thresholds is None else Thresholds(thresholds.review, thresholds.decline),
    )
