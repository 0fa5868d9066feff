"""The demo as it goes on: a live picture on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from types import TracebackType

    from console.demo.sample import ModelLine, Sample

_LINE_SECONDS = 5.0
_BAR = 30
_COLD_START = "cold_start"


class View(Protocol):
    """Where the demo is shown; use it as a ``with`` block."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def say(self, text: str) -> None:
        """A line that stays."""
        ...

    def show(self, sample: Sample, share: float, waiting: str | None) -> None:
        """What is going on, ``share`` of the stream being through; ``waiting``: what it stands still for."""
        ...


class PlainView:
    """Lines, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._next = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def say(self, text: str) -> None:
        """A line."""
        self._console.print(Text(text), soft_wrap=True)

    def show(self, sample: Sample, share: float, waiting: str | None) -> None:
        """A line, if the last one is a while ago."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _LINE_SECONDS
        judged = [model for model in sample.models if model.average_precision is not None]
        quality = f", average precision {judged[-1].average_precision:.3f}" if judged else ""
        self.say(
            f"{share:4.0%}  {_date(sample)}  {sample.events:,} events, {sample.events_per_s:,.0f}/s, "
            f"{_latency(sample)}, {_by(sample)}{_runs(sample)}{quality}{_waiting(waiting)}"
        )


class LiveView:
    """One picture that changes."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def say(self, text: str) -> None:
        """A line above the picture."""
        self._live.console.print(Text(text))

    def show(self, sample: Sample, share: float, waiting: str | None) -> None:
        """Draw anew."""
        self._live.update(picture(sample, share, waiting))


def view_for(console: Console, *, wanted: bool) -> View:
    """The picture where there is a terminal and it is wanted, else lines."""
    return LiveView(console) if wanted and console.is_terminal else PlainView(console)


def picture(sample: Sample, share: float, waiting: str | None) -> Group:
    """Everything at one glance."""
    done = round(_BAR * min(share, 1.0))
    facts = Table.grid(padding=(0, 3))
    facts.add_row(
        "stream", f"{_date(sample)}   {'━' * done}{'─' * (_BAR - done)} {share:.0%}{_waiting(waiting)}"
    )
    facts.add_row("events", f"{sample.events:,} decided, {sample.events_per_s:,.0f} per second")
    facts.add_row("latency", _latency(sample))
    facts.add_row("actions", ", ".join(f"{name} {count:,}" for name, count in sample.actions.items()))
    facts.add_row("refused", f"{sample.dead_letters:,} dead letters, {sample.repeats:,} repeated ids")
    facts.add_row("deciding", f"{_by(sample)}{_runs(sample)}")
    return Group(facts, Text(), _models(sample.models))


def _models(models: list[ModelLine]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3))
    table.add_column("model")
    for name in ("events decided", "known frauds", "average precision"):
        table.add_column(name, justify="right")
    for model in models:
        area = "" if model.average_precision is None else f"{model.average_precision:.3f}"
        table.add_row(model.version.replace("_", " "), f"{model.events:,}", f"{model.frauds:,}", area)
    return table


def _date(sample: Sample) -> str:
    return (sample.stream_time or "not started yet")[:16].replace("T", " ")


def _latency(sample: Sample) -> str:
    if sample.latency.p50 is None or sample.latency.p99 is None:
        return "latency -"
    return f"p50 {sample.latency.p50:.0f} ms, p99 {sample.latency.p99:.0f} ms"


def _by(sample: Sample) -> str:
    newest = sample.models[-1].version if sample.models else _COLD_START
    if newest == _COLD_START:
        return "the cold-start rules decide"
    return f"model {newest}, release epoch {sample.epoch}"


def _runs(sample: Sample) -> str:
    told = ", ".join(f"{count} {state}" for state, count in sorted(sample.runs.items()))
    return f"; training runs: {told}" if told else ""


def _waiting(waiting: str | None) -> str:
    return f"; the stream waits for {waiting}" if waiting else ""
