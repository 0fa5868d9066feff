"""The demo's verdict: as JSON for programs, as text for people, and whether it is a good one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

    from console.demo.observer import Percentiles
    from console.demo.readback import ReadBack
    from streams.broker import Broker

_NEEDED_VERSIONS = 2


class LatencyMs(msgspec.Struct, frozen=True):
    """End to end, as an independent reader saw it."""

    p50: float | None
    p99: float | None
    p999: float | None


class FirstAndLast(msgspec.Struct, frozen=True):
    """Of the first and the last champion that have decided events whose truth is known."""

    first: float | None
    last: float | None


class UsedBroker(msgspec.Struct, frozen=True):
    """Which Kafka."""

    kind: str
    version: str


class DemoReport(msgspec.Struct, frozen=True):
    """``.sluicegate/demo-report.json``; programs rely on these names.

    ``swaps`` are the releases after the cold start that decided at least one event; one that takes a model
    back is one, too.
    """

    events: int
    decisions: int
    dead_letters: int
    duplicates: int
    lost: int
    models_published: int
    swaps: int
    latency_ms: LatencyMs
    average_precision: FirstAndLast
    broker: UsedBroker


def make_report(found: ReadBack, latency: Percentiles, broker: Broker) -> DemoReport:
    """Put the findings together."""
    judged = [one.average_precision for one in found.qualities if one.average_precision is not None]
    return DemoReport(
        events=found.audit.events,
        decisions=found.audit.decisions,
        dead_letters=found.audit.dead_letters,
        duplicates=found.audit.duplicates,
        lost=found.audit.lost,
        models_published=len({release.champion for release in found.published if release.champion}),
        swaps=len(found.epochs_decided),
        latency_ms=LatencyMs(latency.p50, latency.p99, latency.p999),
        average_precision=FirstAndLast(judged[0] if judged else None, judged[-1] if judged else None),
        broker=UsedBroker(broker.kind.value, broker.version),
    )


def write_report(report: DemoReport, path: Path) -> None:
    """Write the report, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".new")
    scratch.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    scratch.replace(path)


def failures(report: DemoReport, found: ReadBack) -> list[str]:
    """What is not as it must be; empty when all is well."""
    checks = [
        (found.audit.lost, f"{found.audit.lost} events were lost"),
        (found.audit.duplicates, f"{found.audit.duplicates} were decided more than once"),
        (found.audit.strays, f"{found.audit.strays} decisions are about records that are not there"),
        (
            report.models_published < _NEEDED_VERSIONS,
            (
                f"the scheduler published {report.models_published} model versions, expected at least "
                f"{_NEEDED_VERSIONS}; were there enough days?"
            ),
        ),
        (
            report.swaps < min(report.models_published, _NEEDED_VERSIONS),
            f"{report.models_published} versions were published but only {report.swaps} decided events",
        ),
    ]
    return [text for wrong, text in checks if wrong]


def in_words(report: DemoReport, found: ReadBack, seconds: float) -> str:
    """The closing summary."""
    latency, audit = report.latency_ms, found.audit
    lines = [
        "",
        f"{report.events:,} events in {seconds:.0f} s on {_broker(report.broker)}, read back from Kafka:",
        f"  decided         {report.decisions:,}",
        f"  dead letters    {report.dead_letters:,}",
        f"  repeated ids    {audit.repeats:,}  (the stream sends some events twice; each was decided once)",
        f"  lost            {report.lost:,}",
        f"  decided twice   {report.duplicates:,}",
        (f"  latency         p50 {_ms(latency.p50)}, p99 {_ms(latency.p99)}, p99.9 {_ms(latency.p999)}"
        "  (event on Kafka to committed decision in a reader's hands)"),
        (f"  models          {report.models_published} published, {report.swaps} swapped in under way"
        f"{_back(found)}"),
    ]  # fmt: skip
    for one in found.qualities:
        area = "-" if one.average_precision is None else f"{one.average_precision:.3f}"
        lines.append(
            f"    {one.model}: average precision {area} on {one.events:,} matured events "
            f"with {one.frauds} frauds that it decided itself"
        )
    return "\n".join([*lines, *(f"  {example}" for example in audit.examples)])


def _back(found: ReadBack) -> str:
    taken = sum(release.withdrawn is not None for release in found.published)
    return f", {taken} taken back" if taken else ""


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"


def _broker(broker: UsedBroker) -> str:
    names = {"given": "the given Kafka", "kafka": "Apache Kafka", "embedded": "the embedded broker"}
    return names[broker.kind] + ("" if broker.version == "unknown" else f" {broker.version}")
