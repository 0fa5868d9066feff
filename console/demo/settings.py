"""What a demo is made of, and the fresh place where it runs."""

from __future__ import annotations

import re
import secrets
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from feature_store.errors import ConfigError
from streams.broker.spec import Choice, parse_spec

if TYPE_CHECKING:
    from pathlib import Path

_DAY_SECONDS = 86_400
_TOPICS = ("events", "decisions", "outcomes", "features", "models", "dead_letters", "alerts")


@dataclass(frozen=True)
class DemoSettings:
    """About ``events`` events over ``days`` of stream time, in ``seconds`` of real time."""

    source: Path
    home: Path
    report: Path
    events: int = 108_000
    days: int = 12
    seconds: float = 100.0
    scorers: int | None = None
    broker: str | None = None

    @property
    def state_dir(self) -> Path:
        """Where the demo's broker, processes and logs keep their things; empty at every start."""
        return self.home / "run"

    @property
    def config(self) -> Path:
        """The pipeline file that the demo writes for itself."""
        return self.state_dir / "pipeline.yaml"

    @property
    def speed(self) -> float:
        """Stream seconds per real second."""
        return self.days * _DAY_SECONDS / self.seconds


def set_the_scene(settings: DemoSettings, broker: str) -> None:
    """Clear the demo's folder and write its pipeline file: the shipped one, on the stream clock.

    On a ``broker`` that was given, topics and group have names of their own: nothing of yours is touched.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    # Moved aside first: what an earlier run's broker still writes while it stops does not come back.
    if settings.state_dir.exists():
        settings.state_dir.rename(settings.home / f"old-{secrets.token_hex(4)}")
    for old in settings.home.glob("old-*"):
        shutil.rmtree(old, ignore_errors=True)
    settings.state_dir.mkdir()
    text = on_stream_clock(settings.source.read_text(encoding="utf-8"))
    if parse_spec(broker).choice is Choice.GIVEN:
        text = under_own_names(text, f"demo-{secrets.token_hex(3)}")
    settings.config.write_text(text, encoding="utf-8")


def on_stream_clock(text: str) -> str:
    """The pipeline file with ``clock: stream``; nothing else changes."""
    changed, count = re.subn(r"(?m)^clock:.*$", "clock: stream", text)
    return changed if count else f"clock: stream\n{text}"


def under_own_names(text: str, prefix: str) -> str:
    """The pipeline file under another name, with topics of its own."""
    if re.search(r"(?m)^topics:", text):
        raise ConfigError(
            "the demo names its own topics on a broker that is given, but the pipeline file has a `topics` "
            "section; run the demo with --broker kafka, or from another folder"
        )
    changed, count = re.subn(r"(?m)^pipeline:\s*(\S+)", rf"pipeline: {prefix}", text)
    if count != 1:
        raise ConfigError("the pipeline file needs one line `pipeline: NAME`")
    names = "".join(f"  {name}: {prefix}-{name.replace('_', '-')}\n" for name in _TOPICS)
    return f"{changed}\ntopics:\n{names}"
