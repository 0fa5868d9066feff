"""What every peer is told on its command line."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """Where to read and write, and what to promise."""

    bootstrap: str
    events: str
    decisions: str
    strongest: bool
    """Its strongest guarantee; else at-least-once."""
    model: Path
    state: Path
    """An empty folder."""
    group: str


def options() -> Options:
    """From `sys.argv`."""
    parser = argparse.ArgumentParser()
    for name in ("--bootstrap", "--events", "--decisions", "--group"):
        parser.add_argument(name, required=True)
    parser.add_argument("--strongest", action="store_true")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    return Options(**vars(parser.parse_args()))
