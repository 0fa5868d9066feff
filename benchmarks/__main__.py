"""Runs the benchmarks named on the command line, or all of them."""

from __future__ import annotations

import sys

from benchmarks import features, hot_swap, scorer, step, trees

BENCHMARKS = {
    "features": features.main,
    "trees": trees.main,
    "step": step.main,
    "scorer": scorer.main,
    "hot_swap": hot_swap.main,
}


def main(names: list[str]) -> int:
    """Run ``names`` in order; 2 for a name that is none."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    for name in names or list(BENCHMARKS):
        print(f"\n== {name}: {(sys.modules[BENCHMARKS[name].__module__].__doc__ or '').splitlines()[0]}")
        BENCHMARKS[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
