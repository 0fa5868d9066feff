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
        """As a manifest holds it; empty where nothing was measured."""
        if self.before is None or self.after is None:
            return {}
        sizes = {"before": self.before, "after": self.after}
        found = {
            f"compaction_{name}_{when}": float(getattr(size, name))
            for name in Size.__struct_fields__
            for when, size in sizes.items()
        }
        return found | {
            "compaction_dropped_trees": float(self.dropped),
            "compaction_bound": self.bound,
            "compaction_moved": self.moved,
        }
