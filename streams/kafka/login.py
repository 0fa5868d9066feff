"""Whether Kafka lets us in: asked once, before clients that would only try again and again."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from feature_store.errors import ConfigError
from streams.kafka.clients import COMMON, plain_producer, reader
from streams.kafka.cluster import Cluster, connection
from streams.kafka.refused import LoginError, plain_refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

_PATIENCE_S = 5.0
_ASK_S = 0.5


def check_settings(settings: Mapping[str, str]) -> None:
    """Raise ConfigError for unknown names, unfit values, files that are not there; nothing is connected."""
    if not settings:
        return
    nowhere = Cluster("", settings)
    try:
        reader(nowhere).close()
        plain_producer(nowhere)
    except KafkaException as error:
        raise ConfigError(f"kafka: {error.args[0].str()}") from None


def let_in(cluster: Cluster) -> Cluster:
    """The cluster itself, once it has answered; one that is away is left to whoever waits for it.

    Raises LoginError where credentials or certificates are refused, ConfigError for settings that no client
    takes.
    """
    if not cluster.settings:
        return cluster
    check_settings(cluster.settings)
    problems: list[KafkaError] = []
    heard: dict[str, Any] = {**COMMON, **connection(cluster), "error_cb": problems.append}
    admin = AdminClient(heard, logger=_quiet())
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        try:
            admin.list_topics(timeout=_ASK_S)
        except KafkaException:
            admin.poll(0)
        else:
            return cluster
        for problem in problems:
            if refused := plain_refusal(problem) or _tls_alert(problem):
                raise refused
    return cluster


def _tls_alert(problem: KafkaError) -> LoginError | None:
    """What a broker says that misses or mistrusts our certificate; a lost connection to the client."""
    if "SSL routines" not in problem.str():
        return None
    return LoginError(
        f"Kafka breaks off the TLS connection: {problem.str()}; see `kafka` in the pipeline file"
    )


def _quiet() -> logging.Logger:
    """For a client whose failures are told once, as an error."""
    logger = logging.getLogger("librdkafka.login")
    logger.setLevel(logging.CRITICAL + 1)
    return logger
