"""What the contract's tests do again and again, with one client and short waits."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from streams.kafka import leave

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

PATIENCE = 30.0  # seconds after which something that should happen has not
_QUIET: dict[str, Any] = {"log_level": 0, "error_cb": lambda _error: None}


class Kafka:
    """Clients of one broker; closes the consumers that it made."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self.bootstrap = bootstrap
        self.prefix = prefix
        self.admin = AdminClient({"bootstrap.servers": bootstrap, **_QUIET})
        self._open = ExitStack()
        self._made = 0

    def close(self) -> None:
        """Close the consumers."""
        self._open.close()

    def name(self) -> str:
        """Return a name that nobody uses yet."""
        self._made += 1
        return f"{self.prefix}-{self._made}"

    def topic(self, partitions: int = 1, **settings: str) -> str:
        """Create a topic; settings are Kafka's with `_` for `.`."""
        name = self.name()
        config = {key.replace("_", "."): value for key, value in settings.items()}
        new = NewTopic(name, num_partitions=partitions, replication_factor=1, config=config)
        self.admin.create_topics([new])[name].result(PATIENCE)
        eventually(lambda: len(self.admin.list_topics(name).topics[name].partitions) == partitions)
        return name

    def producer(self, **settings: Any) -> Producer:
        """Return a producer without lingering."""
        return Producer({
            "bootstrap.servers": self.bootstrap, "linger.ms": 0, **_QUIET, **_dotted(settings),
        })  # fmt: skip

    def transactional(self, name: str, timeout_ms: int = 20_000) -> Producer:
        """Return a transactional producer that has introduced itself."""
        made = self.producer(transactional_id=name, transaction_timeout_ms=timeout_ms)
        made.list_topics(timeout=PATIENCE)  # connected first: else the client tries again after 500 ms
        made.init_transactions(PATIENCE)
        return made

    def consumer(self, group: str | None = None, **settings: Any) -> Consumer:
        """Return a consumer that commits nothing by itself and starts at the beginning."""
        made = Consumer({
            "bootstrap.servers": self.bootstrap, "group.id": group or self.name(),
            "auto.offset.reset": "earliest", "enable.auto.commit": False,
            "session.timeout.ms": 6000, "heartbeat.interval.ms": 300, "fetch.wait.max.ms": 50,
            **_QUIET, **_dotted(settings),
        })  # fmt: skip
        self._open.callback(_end, made)
        return made

    def send(
        self, topic: str, values: Iterable[str | bytes], key: bytes | None = None, **settings: Any
    ) -> None:
        """Produce values to partition 0 and wait for all; raises KafkaException if one is refused."""
        producer, errors = self.producer(**settings), list[KafkaError]()

        def delivered(error: KafkaError | None, _message: Message) -> None:
            if error:
                errors.append(error)

        for value in values:
            producer.produce(topic, value, key, 0, on_delivery=delivered)
        assert producer.flush(PATIENCE) == 0
        if errors:
            raise KafkaException(errors[0])

    def read(self, topic: str, *, start: int = 0, committed: bool = True, **settings: Any) -> list[Message]:
        """Return what is now in partition 0 from `start`, as far as the isolation level lets see."""
        isolation = "read_committed" if committed else "read_uncommitted"
        consumer = self.consumer(isolation_level=isolation, enable_partition_eof=True, **settings)
        consumer.assign([TopicPartition(topic, 0, start)])
        messages: list[Message] = []
        for message in polled(consumer):
            if at_end(message):
                return messages
            messages.append(message)
        raise AssertionError(f"no end of {topic} within {PATIENCE} s, after {len(messages)} messages")

    def values(self, topic: str, *, committed: bool = True) -> list[bytes | None]:
        """Return the values now in partition 0."""
        return [message.value() for message in self.read(topic, committed=committed)]


def _end(consumer: Consumer) -> None:
    """Close a consumer; a member of a group leaves it first, since one that is given something while it
    closes may never return.
    """
    with suppress(RuntimeError):  # the test has closed it
        leave(consumer) if consumer.memberid() else consumer.close()


def _dotted(settings: dict[str, Any]) -> dict[str, Any]:
    return {key.replace("_", "."): value for key, value in settings.items()}


def at_end(message: Message) -> bool:
    """Tell whether this is the end of a partition; raises any other error."""
    error = message.error()
    if error is not None and error.code() != KafkaError._PARTITION_EOF:
        raise KafkaException(error)
    return error is not None


def polled(consumer: Consumer) -> Iterator[Message]:
    """Yield messages (and errors) as they come, until patience ends."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        message = consumer.poll(0.1)
        if message is not None:
            yield message


def eventually(condition: Callable[[], bool], meanwhile: Callable[[], object] = lambda: None) -> None:
    """Wait until something is true; `meanwhile` is done between looks."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not become true"
        meanwhile()
        time.sleep(0.01)


@contextmanager
def refused(*codes: int) -> Iterator[None]:
    """Expect a KafkaException with one of some codes."""
    with pytest.raises(KafkaException) as caught:
        yield
    assert caught.value.args[0].code() in codes, caught.value


def wait_for(future: Future[Any]) -> Any:
    """Return what an admin request brings; raises KafkaException where it is refused."""
    return future.result(PATIENCE)
