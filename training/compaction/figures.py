"""What compaction did, in figures."""

from __future__ import annotations

import msgspec


class Size(msgspec.Struct, frozen=True):
    """How large a model is, how fast the packed walk is and how well it does on the validation slice.

    ``log_loss`` is after Platt scaling of its own; ``us_per_row`` is one core's, in microseconds.
    """

    trees: int
    nodes: int
    bytes: int
    us_per_row: float
    log_loss: float
    average_precision: float


class CompactionReport(msgspec.Struct, frozen=True):
    """Before and after, both measured in one run.

    ``bound`` is what merging and rounding can move any margin by, proven, and ``moved`` the furthest that
    they moved one of the validation slice, in log-odds; ``dropped`` counts trees, which are in neither.
    ``skipped`` says why the model was left as it is.
    """

    before: Size | None = None
    after: Size | None = None
    dropped: int = 0
    bound: float = 0.0
    moved: float = 0.0
    skipped: str = ""

    def as_metrics(self) -> dict[str, float]:
        """In short, as a manifest holds it: shares of what there was; empty where nothing was measured."""
        if self.before is None or self.after is None:
            return {}
        return {
            "compaction_dropped_trees": float(self.dropped),
            "compaction_nodes": self.after.nodes / self.before.nodes,
            "compaction_bytes": self.after.bytes / self.before.bytes,
            "compaction_time": self.after.us_per_row / self.before.us_per_row,
            "compaction_bound": self.bound,
            "compaction_moved": self.moved,
        }
