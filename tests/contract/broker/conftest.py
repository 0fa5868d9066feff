"""Every test of the contract runs on each broker; Apache Kafka is the judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.broker.toolkit import Kafka

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(
    scope="session",
    params=["embedded_broker", pytest.param("apache_kafka", marks=pytest.mark.kafka)],
    ids=["embedded", "apache"],
)
def bootstrap(request: pytest.FixtureRequest) -> str:
    """Address of the broker under test."""
    return str(request.getfixturevalue(request.param).bootstrap)


@pytest.fixture
def kafka(bootstrap: str, unique: str) -> Iterator[Kafka]:
    """Clients of the broker under test."""
    clients = Kafka(bootstrap, unique)
    yield clients
    clients.close()


@pytest.fixture
def gap(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Mark the test as known to fail on the embedded broker, saying why."""

    def mark(reason: str) -> None:
        if "embedded" in request.node.name:
            request.applymarker(pytest.mark.xfail(strict=True, reason=reason))

    return mark
