"""How the topics on Kafka compare with what the pipeline declares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streams.kafka import IN_SYNC, INTERNAL, TopicSpec, described_topics, pipeline_topics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from feature_store.declaration.pipeline import Pipeline
    from streams.kafka import PresentTopic

_AT_LEAST = frozenset({IN_SYNC, "max.message.bytes", "retention.ms"})
"""Settings that may be more than is declared."""
_FOR_EVER = -1


@dataclass(frozen=True)
class FoundTopic:
    """One declared topic; ``partitions`` is None where Kafka has none of that name."""

    name: str
    declared: int
    partitions: int | None
    findings: tuple[str, ...] = ()
    """What does not fit, in words."""

    @property
    def fits(self) -> bool:
        """Whether it is there as declared, or safer."""
        return not self.findings

    @property
    def words(self) -> str:
        """What was found, for a person."""
        return "; ".join(self.findings) or f"{self.partitions} partitions"

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {
            "topic": self.name, "declared": self.declared, "partitions": self.partitions, "fits": self.fits,
            "findings": list(self.findings),
        }  # fmt: skip


def found_topics(bootstrap: str, pipeline: Pipeline) -> list[FoundTopic]:
    """Every topic of ``pipeline`` as it is on Kafka, and of Kafka's own those that are not safe.

    Raises BrokerError when Kafka does not answer.
    """
    wanted = pipeline_topics(pipeline)
    present, brokers = described_topics(bootstrap, [*(spec.name for spec in wanted), *INTERNAL])
    found = [_compared(spec, present.get(spec.name), brokers) for spec in wanted]
    internal = [
        _compared(TopicSpec(name, present[name].partitions), present[name], brokers)
        for name in INTERNAL
        if name in present
    ]
    return found + [topic for topic in internal if not topic.fits]


def _compared(spec: TopicSpec, found: PresentTopic | None, brokers: int) -> FoundTopic:
    if found is None:
        missing = "missing; `sluicegate topics create` makes it"
        return FoundTopic(spec.name, spec.partitions, None, (missing,))
    findings = tuple(differences(spec, found, brokers))
    return FoundTopic(spec.name, spec.partitions, found.partitions, findings)


def differences(spec: TopicSpec, found: PresentTopic, brokers: int) -> Iterator[str]:
    """What is less than ``spec`` asks for on a cluster of so many brokers, or another thing."""
    if found.partitions != spec.partitions:
        yield f"{found.partitions} partitions, but the pipeline file says {spec.partitions}"
    if found.replication < spec.copies(brokers):
        yield f"replication is {found.replication}, at least {spec.copies(brokers)} wanted"
    if found.settings is None:  # the embedded broker does not tell them
        return
    for name, wanted in spec.settings_on(brokers).items():
        has = found.settings.get(name)
        if has is None or not _enough(name, has, wanted):
            words = "at least " if name in _AT_LEAST else ""
            yield f"{name} is {has}, {words}{wanted} wanted"


def _enough(name: str, has: str, wanted: str) -> bool:
    if name in _AT_LEAST:
        return int(has) >= int(wanted) or (name == "retention.ms" and int(has) == _FOR_EVER)
    return set(has.split(",")) == set(wanted.split(","))
