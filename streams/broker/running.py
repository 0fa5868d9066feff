"""The one way to get a broker: given, Apache Kafka on this machine, or the embedded one."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from streams.broker.embedded_server import NOTICE, running_embedded
from streams.broker.errors import KafkaUnavailableError
from streams.broker.health import check_given
from streams.broker.jars import default_cache
from streams.broker.kafka_home import find_kafka
from streams.broker.kafka_server import running_kafka
from streams.broker.spec import Broker, BrokerKind, BrokerSpec, Choice, parse_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

DEFAULT_HEAP_MB = 768


def _silent(_step: str) -> None:
    """Tell nobody."""


@contextmanager
def running_broker(
    spec: str = "auto",
    *,
    state_dir: Path,
    cache_dir: Path | None = None,
    heap_mb: int = DEFAULT_HEAP_MB,
    progress: Callable[[str], None] = _silent,
    answers: Callable[[str], None] | None = None,
) -> Iterator[Broker]:
    """Yield a broker that answers, and stop it at the end of the block if it was started here.

    `spec` is `auto`, `kafka`, `embedded` or `host:port,…`. A local Kafka keeps its data in
    `state_dir`/kafka/data; its jars are kept in `cache_dir` (else SLUICEGATE_CACHE, else
    ./.sluicegate). `progress` is told each step in words for the user; `answers` raises where what is
    at the given addresses does not (else they are asked in plain text). Raises BrokerError.
    """
    parsed = parse_spec(spec)
    if parsed.choice is Choice.GIVEN:
        bootstrap = ",".join(map(str, parsed.addresses))
        if answers is None:
            check_given(parsed.addresses)
        else:
            answers(bootstrap)
        progress(f"Kafka at {bootstrap}")
        yield Broker(bootstrap, BrokerKind.GIVEN, "unknown")
        return
    with _started(parsed, state_dir, cache_dir or default_cache(), heap_mb, progress) as broker:
        yield broker


def _started(
    spec: BrokerSpec, state_dir: Path, cache_dir: Path, heap_mb: int, progress: Callable[[str], None]
) -> AbstractContextManager[Broker]:
    if spec.choice is Choice.EMBEDDED:
        return running_embedded(state_dir, progress=progress)
    try:
        kafka = find_kafka(cache_dir, progress)
    except KafkaUnavailableError as error:
        if spec.choice is Choice.KAFKA:
            raise
        return running_embedded(state_dir, progress=progress, notice=f"{NOTICE}. Why: {error}")
    return running_kafka(kafka, state_dir, heap_mb=heap_mb, progress=progress)
