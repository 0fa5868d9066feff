"""What of the feature log the monitor counts where scorers deliver at least once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import msgspec

from feature_store.claims import Claims
from feature_store.declaration.load import load_pipeline
from feature_store.log import decode_log, encode_log
from streams.monitor.app import _take_batch
from streams.monitor.state import MonitorState
from tests.unit.keeper.conftest import PIPELINE
from tests.unit.keeper.written import log_message

if TYPE_CHECKING:
    from pathlib import Path

    from faust.types.tuples import ConsumerMessage


@dataclass
class Read:
    """A message of partition 0."""

    offset: int
    value: bytes
    partition: int = 0
    timestamp: float = 1_767_225_600.0


def test_claims_and_what_a_given_up_scorer_wrote_are_no_events(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_text(PIPELINE.format(name="unit"), encoding="utf-8")
    pipeline = load_pipeline(path)
    state, claims = MonitorState(pipeline), Claims()
    log = [(0, 0, 1, -1), (0, 4, 1, 0), (4, 0, 2, -1), (4, 9, 1, 0), (4, 3, 2, 2)]
    for offset, (first, count, claim, claimed_at) in enumerate(log):
        rows, meta = decode_log(log_message(pipeline, 0, first, count))
        under = msgspec.structs.replace(meta, claim=claim, claimed_at=claimed_at)
        message = Read(offset, encode_log(rows, under))
        _take_batch(state, claims, cast("ConsumerMessage", message))
    status = state.status()
    assert (status["events"], status["batches"], status["problems"]["repeated"]) == (7, 2, 1)
