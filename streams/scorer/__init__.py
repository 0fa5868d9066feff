"""The scorer: events in, decisions out, in one Kafka transaction per micro-batch."""

from __future__ import annotations

from streams.scorer.run import ScorerSettings, run

__all__ = ["ScorerSettings", "run"]
