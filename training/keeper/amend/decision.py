"""Deciding a late event again, and the message that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa

from feature_store.columns import number_arrays
from feature_store.log import event_schema, seen_schema
from feature_store.units import from_text, to_text
from streams.messages import Amended, Decision
from streams.models.watcher import Acting
from streams.policies.actions import APPROVE
from streams.scorer.decider import Decider
from streams.scorer.evidence import action_names
from streams.scorer.intake import Accepted
from streams.scorer.reasons import StoppedReasons
from streams.scorer.records import SourceRecord

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from feature_store.expressions import Matrix
    from streams.models.champion import Champion
    from streams.policies import ActivePolicy
    from streams.scorer.evidence import Evidence


class _Passed(msgspec.Struct):
    """The fields that a decision passes on, as they are written: a decimal keeps its digits."""

    event: msgspec.Raw


class Again:
    """Decides as a scorer would have, one event at a time."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._topic = pipeline.topics.decisions
        self._decider = Decider(pipeline)
        self._reasons = StoppedReasons(pipeline)
        self._event = event_schema(pipeline.event)
        self._seen = seen_schema(pipeline)

    def amended(
        self,
        event: pa.Table,
        matrix: Matrix,
        champion: Champion,
        policy: ActivePolicy,
        first: str,
        place: tuple[int, int],
        now: int,
    ) -> bytes | None:
        """The decision message in place of ``first``, the one that stands at ``place`` of its topic.

        ``event`` is one row of the log and ``matrix`` its features. Lists and snoozes hold that held at the
        first decision; ``now`` (us) is when this one is made. None where the model gives no score.
        """
        replaced = msgspec.json.decode(first, type=Decision)
        found = self._evidence(event, matrix, replaced, champion, policy)
        if found.models[0] is None:
            return None
        decision = msgspec.structs.replace(
            replaced,
            event=msgspec.json.decode(first, type=_Passed).event,
            decided_at=to_text(now),
            action=action_names(found.actions)[0],
            policy_action=action_names(found.policy_actions)[0],
            propensity=float(found.propensities[0]),
            score=float(found.scores[0]),
            model=found.models[0],
            fallback=found.fallbacks[0],
            rules=found.rules[0],
            reasons=self._reasons.of(champion, matrix, np.flatnonzero(found.policy_actions != APPROVE))[0],
            shadow=found.shadows[0],
            late=True,
            queue=(found.queues and found.queues[0]) or msgspec.UNSET,
            amends=Amended(self._topic, *place, replaced.decided_at),
        )
        return msgspec.json.encode(decision)

    def _evidence(
        self, event: pa.Table, matrix: Matrix, first: Decision, champion: Champion, policy: ActivePolicy
    ) -> Evidence:
        row = event.select(self._event.names).cast(self._event).combine_chunks()
        columns = [column.chunk(0) for column in row.columns]
        seen = pa.record_batch([*columns, *number_arrays(matrix)], schema=self._seen)
        acting = Acting(first.release, champion)
        fields = pa.record_batch(columns, schema=self._event)
        accepted = Accepted([_record(event)], [first.event_id], [], fields, np.array([True]))
        return self._decider.decide(acting, policy, accepted, seen, matrix, from_text(first.decided_at))


def _record(event: pa.Table) -> SourceRecord:
    """The record of the events topic, as far as decisions hang on it."""
    names = ("source_partition", "source_offset", "record_time", "arrived_at")
    partition, offset, written, arrived = (event[name].cast(pa.int64())[0].as_py() for name in names)
    return SourceRecord(partition, offset, None, None, written, arrived)
