"""The policy that is tried: a pipeline whose decision section it is, and a document that is in force."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import pyarrow.parquet as pq
from pydantic import ValidationError

from feature_store.declaration.decision import Costs
from feature_store.errors import ConfigError
from streams.messages import PolicyDocument, Thresholds
from streams.policies import default_document
from training.keeper.history_export import POLICIES
from training.policy.content import Content, with_content

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline


@dataclass(frozen=True)
class Change:
    """What is to be other than it is; what is None stays.

    ``decision`` is a pipeline whose decision section is tried, document and all. ``costs`` are keys of
    ``decision.costs`` with their values, in the amount's unit.
    """

    decision: Pipeline | None = None
    content: Content | None = None
    review: float | None = None
    decline: float | None = None
    costs: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Candidate:
    """Ready to be compiled: ``pipeline`` has the costs, the cold-start rules and the fallback."""

    pipeline: Pipeline
    document: PolicyDocument


def candidate(pipeline: Pipeline, folder: Path, change: Change) -> Candidate:
    """``change`` applied to the policy that was last in force in the history of ``folder``.

    Where the keeper moves the least margin of a review by itself (``decision.review_capacity``), what it made
    of it is left out: it belongs to the policy that was. Raises ConfigError for costs that cannot be.
    """
    tried = _with_decision(pipeline, change.decision) if change.decision else pipeline
    tried = _with_costs(tried, change.costs) if change.costs else tried
    document = default_document(tried) if change.decision else _in_force(pipeline, folder)
    if tried.decision.review_capacity is not None:
        document = msgspec.structs.replace(document, review_margin=None)
    if change.content is not None:
        document = with_content(document, change.content)
    if change.review is not None or change.decline is not None:
        thresholds = Thresholds(change.review, change.decline)
        document = msgspec.structs.replace(document, thresholds=thresholds)
    return Candidate(tried, document)


def _in_force(pipeline: Pipeline, folder: Path) -> PolicyDocument:
    kept = pq.read_table(folder / POLICIES).to_pylist()
    if not kept:
        return default_document(pipeline)
    return msgspec.json.decode(kept[-1]["document"], type=PolicyDocument)


def _with_decision(pipeline: Pipeline, other: Pipeline) -> Pipeline:
    """Everything but the decision stays: history is of the declared events and features."""
    tried = pipeline.model_copy(update={"decision": other.decision})
    amount = other.decision.costs.amount
    if amount is not None and amount not in pipeline.event.fields:
        raise ConfigError(f"decision.costs.amount: {amount!r} is not a field of the stored events")
    return tried


def _with_costs(pipeline: Pipeline, costs: Mapping[str, float]) -> Pipeline:
    known = [name for name in Costs.model_fields if name != "amount"]
    for name in costs:
        if name not in known:
            raise ConfigError(f"decision.costs: there is no {name!r}; expected one of {', '.join(known)}")
    decision = pipeline.decision
    try:
        changed = Costs.model_validate(decision.costs.model_dump() | dict(costs))
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(
            f"decision.costs.{'.'.join(map(str, first['loc']))}: {first['msg']} (found {first['input']})"
        ) from None
    return pipeline.model_copy(update={"decision": decision.model_copy(update={"costs": changed})})
