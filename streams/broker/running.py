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
from streams.broker.spec import Address, Broker, BrokerKind, Choice, parse_spec

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
) -> Iterator[Broker]:
    """Yield a broker that answers, and stop it at the end of the block if it was started here.

    `spec` is `auto`, `kafka`, `embedded` or `host:port,…`. A local Kafka keeps its data in
    `state_dir`/kafka/data; its jars are kept in `cache_dir` (else SLUICEGATE_CACHE, else
    ./.sluicegate). `progress` is told each step in words for the user. Raises BrokerError.
    """
    with _broker(spec, state_dir, cache_dir or default_cache(), heap_mb, progress) as broker:
        yield broker


def _broker(
    text: str, state_dir: Path, cache_dir: Path, heap_mb: int, progress: Callable[[str], None]
) -> AbstractContextManager[Broker]:
    spec = parse_spec(text)
    if spec.choice is Choice.GIVEN:
        return _given(spec.addresses, progress)
    if spec.choice is Choice.EMBEDDED:
        return running_embedded(state_dir, progress=progress)
    try:
        kafka = find_kafka(cache_dir, progress)
    except KafkaUnavailableError as error:
        if spec.choice is Choice.KAFKA:
            raise
        return running_embedded(state_dir, progress=progress, notice=f"{NOTICE}. Why: {error}")
    return running_kafka(kafka, state_dir, heap_mb=heap_mb, progress=progress)


@contextmanager
def _given(addresses: tuple[Address, ...], progress: Callable[[str], None]) -> Iterator[Broker]:
    check_given(addresses)
    bootstrap = ",".join(map(str, addresses))
    progress(f"Kafka at {bootstrap}")
    yield Broker(bootstrap, BrokerKind.GIVEN, "unknown")
