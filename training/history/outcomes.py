"""What the label column says, as outcomes: those that are known by the last event, and those to come."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from streams.messages import Label

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from streams.sources.past_events import PastEvents

_INSTANT = pa.timestamp("us")
_NOWHERE = -1


def outcome_table(pipeline: Pipeline, past: PastEvents) -> pa.Table:
    """An outcome for every fraud, known the declared delay after its event; silence is no outcome.

    They come from no partition of Kafka; ``offset`` numbers them in the order in which they became known.
    """
    label = pipeline.event.file.label
    frauds = np.flatnonzero(past.fraud)
    known = pa.array(past.times[frauds] + (label.delay if label else 0)).cast(_INSTANT)
    count = len(frauds)
    return pa.table(
        {
            "event_id": past.ids.take(frauds),
            "label": pa.repeat(Label.FRAUD.value, count),
            "source": pa.repeat(label.source if label else "", count),
            "observed_at": known,
            "arrived_at": known,
            "partition": pa.repeat(pa.scalar(_NOWHERE, pa.int32()), count),
            "offset": pa.array(np.arange(count)),
        }
    )
