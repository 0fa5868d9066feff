"""All that the monitor knows, fed with feature log batches and outcomes in any interleaving.

Kept in memory and rebuilt from the topics at every start. Nothing here touches Kafka.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from feature_store.clock import StreamClock, WallClock
from feature_store.units import to_text
from streams.monitor.action_rates import ActionRates
from streams.monitor.drift import Drift
from streams.monitor.figures import Figures
from streams.monitor.freshness import Freshness
from streams.monitor.latency import Latency
from streams.monitor.log_rows import ACTIONS, LogRows, read_rows
from streams.monitor.maturing import Maturing
from streams.monitor.models import SCORE_EDGES, ModelUse, ModelUses
from streams.monitor.progress import Progress
from streams.monitor.quality import Quality, score_bins
from streams.monitor.rates import Rates
from streams.monitor.taking import Sampling

if TYPE_CHECKING:
    import pyarrow as pa

    from feature_store.clock import Clock
    from feature_store.declaration.pipeline import Pipeline
    from feature_store.log import LogMeta
    from streams.messages import Outcome
    from streams.monitor.releases import Acting

_MINUTE = 60_000_000
_HOUR = 3_600_000_000
_EPOCHS_KEPT = 1_000


class MonitorState:
    """Live figures of one pipeline."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._clock = StreamClock()
        self.clock: Clock = self._clock if pipeline.clock == "stream" else WallClock()
        self._started = _wall()
        self._source = Progress()
        self._wall_rate = Rates(_MINUTE, ACTIONS)
        self._stream_rate = Rates(_HOUR, ACTIONS)
        self._latency = Latency()
        self._models = ModelUses()
        self._maturing = Maturing(pipeline.outcomes)
        self._actions = np.zeros(len(ACTIONS), np.int64)
        self._counts = dict.fromkeys(("events", "duplicates", "dead_letters", "fallbacks", "batches"), 0)
        self._outcomes = {"read": 0, "fraud": 0, "legitimate": 0}
        self._releases: dict[int, dict[str, int]] = {}
        self._problems = {"repeated": 0, "unreadable": 0}
        self._caught_up = False
        self._sampling = Sampling(pipeline)
        self._drift = Drift(pipeline)
        self._action_rates = ActionRates(pipeline.monitoring.actions, pipeline.monitoring.drift.significance)
        self.freshness = Freshness(pipeline.monitoring.freshness, by_the_wall=pipeline.clock == "wall")
        self.figures = Figures()

    def now(self) -> int:
        """The pipeline's clock (us): the wall, or the newest arrival among the decisions read."""
        return self.clock.now()

    def batch(self, batch: pa.RecordBatch, meta: LogMeta, written_at: int) -> None:
        """Count a feature log message that was written at ``written_at`` (us, Kafka's own time).

        Raises ContractError, having counted nothing, where the rows are not those of a feature log.
        """
        new_from = self._source.reached(meta.topic, meta.partition)
        rows = read_rows(batch, new_from)
        if not self._source.advance(meta.topic, meta.partition, meta.next_offset):
            self._problems["repeated"] += 1
            return
        self._counts["batches"] += 1
        self._counts["duplicates"] += sum(offset >= new_from for offset in meta.duplicates)
        self._counts["dead_letters"] += sum(offset >= new_from for offset in meta.dead_letters)
        if rows.event_ids:
            self._decisions(meta.partition, rows, written_at)
            self._release(meta.release_epoch, rows)

    def outcome(self, outcome: Outcome) -> None:
        """Count an outcome."""
        self._outcomes["read"] += 1
        self._outcomes[outcome.label] += 1
        self._maturing.told(outcome)

    def repeated(self) -> None:
        """Count a message that was delivered again and not counted again."""
        self._problems["repeated"] += 1

    def unreadable(self) -> None:
        """Count a message that could not be understood."""
        self._problems["unreadable"] += 1

    def mature(self, now: int) -> None:
        """Judge what is old enough; every outcome that arrived until ``now`` (us) must have been given."""
        self._maturing.mature(now)

    def caught_up(self) -> None:
        """Take note that everything has been given that was there at some moment since the start."""
        self._caught_up = True

    @property
    def is_caught_up(self) -> bool:
        """Whether that is so."""
        return self._caught_up

    def look(self, acting: Acting, agreement: list[dict[str, Any]]) -> Figures:
        """Hold the newest decisions against what the champion was fitted on, and against the week before.

        ``agreement``: the figures of shadows.
        """
        recent, now = self._sampling.recent, self.now()
        line = {self._models.number(version): bins for version, bins in acting.line.items()}
        found = self._drift.compare(recent.sample(now), acting.champion, line, whole=recent.covers(now))
        self.figures.drift = {"looked_at": to_text(now), **found}
        self.figures.agreement = agreement
        self.figures.actions = self._action_rates.status(now)
        return self.figures

    def look_at_the_clock(self) -> Figures:
        """See how long nothing has come, and how long what came has waited."""
        self.figures.freshness = self.freshness.status(_wall())
        return self.figures

    def status(self) -> dict[str, Any]:
        """Everything, for people and programs; the keys are stable."""
        wall, quality = _wall(), self._maturing.status()
        stream = self._clock.now()
        return {
            "pipeline": self._pipeline.name,
            "started_at": to_text(self._started),
            "now": to_text(wall),
            "caught_up": self._caught_up,
            "clock": self._pipeline.clock,
            "stream_time": to_text(stream) if stream else None,
            **self._counts,
            "actions": dict(zip(ACTIONS, self._actions.tolist(), strict=True)),
            "rates": {"wall": _rate(self._wall_rate, wall), "stream": _rate(self._stream_rate, None)},
            "latency_ms": self._latency.status(wall),
            "score_edges": SCORE_EDGES.tolist(),
            "models": [self._model(*item) for item in self._models.items()],
            "release": max(self._releases, default=None),
            "releases": [
                {"epoch": epoch, "events": use["events"], "first_seen": to_text(use["first_seen"])}
                for epoch, use in sorted(self._releases.items())
            ],
            "outcomes": self._outcomes,
            "quality": quality,
            "drift": self.figures.drift,
            "action_rates": self.figures.actions,
            "agreement": self.figures.agreement,
            "freshness": self.figures.freshness,
            "problems": self._problems,
        }

    def _decisions(self, partition: int, rows: LogRows, written_at: int) -> None:
        count = len(rows.event_ids)
        self._counts["events"] += count
        self._counts["fallbacks"] += rows.fallbacks
        self._actions += np.bincount(rows.actions, minlength=len(ACTIONS))
        self._clock.observe(int(rows.arrivals.max()))
        written = np.full(count, written_at, np.int64)
        self._wall_rate.add(written, rows.actions)
        self._stream_rate.add(rows.arrivals, rows.actions)
        self.freshness.add(written)
        self._latency.add(written, (written_at - rows.record_times) / 1_000)
        models = self._models.add(rows.models, rows.scores, rows.decided)
        self._sampling.add(partition, rows, models)
        scored = ~np.isnan(rows.scores)
        self._action_rates.add(rows.arrivals[scored], rows.actions[scored])
        self._maturing.decided(
            rows.event_ids,
            rows.event_times,
            score_bins(rows.scores),
            models,
            rows.stopped,
            rows.actions == ACTIONS.index("approve"),
            rows.propensity,
        )

    def _release(self, epoch: int, rows: LogRows) -> None:
        first = int(rows.decided.min())
        use = self._releases.setdefault(epoch, {"events": 0, "first_seen": first})
        use["events"] += len(rows.event_ids)
        use["first_seen"] = min(use["first_seen"], first)
        for old in sorted(self._releases)[:-_EPOCHS_KEPT]:
            del self._releases[old]

    def _model(self, version: str, number: int, use: ModelUse) -> dict[str, Any]:
        quality = self._maturing.models.get(number) or Quality()
        return {"version": version, **use.status(), "quality": quality.status()}


def _rate(rates: Rates, now: int | None) -> dict[str, Any]:
    actions = rates.per_second(now)
    return {
        "window_s": rates.window / 1e6,
        "events_per_s": round(sum(actions.values()), 3),
        "actions_per_s": actions,
    }


def _wall() -> int:
    return time.time_ns() // 1_000
