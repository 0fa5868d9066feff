"""Settings that are passed on to Kafka's and the Schema Registry's clients: security above all.

They are the clients' own names, and pass untouched. Refused are those that would break a promise, and a
secret that is written in the file. Values are kept as secrets: no error, log line or ``--json`` shows one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BeforeValidator, SecretStr

from feature_store.declaration.base import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_OWN_GROUP = "the consumer group and its slots carry the exactly-once promise"
_BATCHED = "offsets are committed with the decisions, in one transaction"
_WHOLE = "a record that a producer gives up on, or sends twice, would be a decision lost or doubled"
_STABLE = "transactional ids are stable per process, so that Kafka fences off an older one"
_NO_GAP = "a position that is not in the log must stop the process: going on elsewhere would lose events"

REFUSED: Mapping[str, str] = {
    "bootstrap.servers": "addresses stand in `broker`",
    "metadata.broker.list": "addresses stand in `broker`",
    "client.id": "clients are named after their process",
    "group.id": _OWN_GROUP,
    "group.instance.id": _OWN_GROUP,
    "group.protocol": _OWN_GROUP,
    "group.remote.assignor": _OWN_GROUP,
    "partition.assignment.strategy": _OWN_GROUP,
    "session.timeout.ms": "set serving.session_timeout",
    "heartbeat.interval.ms": "it follows from serving.session_timeout",
    "max.poll.interval.ms": "state is rebuilt inside a rebalance, which may take long",
    "enable.auto.commit": _BATCHED,
    "auto.commit.enable": _BATCHED,
    "auto.commit.interval.ms": _BATCHED,
    "enable.auto.offset.store": _BATCHED,
    "auto.offset.reset": _NO_GAP,
    "isolation.level": "only what is committed may be read",
    "enable.partition.eof": "readers need the news, or must not see it",
    "allow.auto.create.topics": "a misspelt topic is an error, not a new topic",
    "transactional.id": _STABLE,
    "transaction.timeout.ms": _STABLE,
    "enable.idempotence": _WHOLE,
    "enable.gapless.guarantee": _WHOLE,
    "acks": _WHOLE,
    "request.required.acks": _WHOLE,
    "retries": _WHOLE,
    "message.send.max.retries": _WHOLE,
    "max.in.flight": _WHOLE,
    "max.in.flight.requests.per.connection": _WHOLE,
    "message.timeout.ms": _WHOLE,
    "delivery.timeout.ms": _WHOLE,
    "partitioner": "clients of every language must agree on partitions: it is murmur2_random everywhere",
    "message.max.bytes": "it follows from event.max_bytes: a decision or dead letter must fit",
    "plugin.library.paths": "it would load foreign code into every process",
}
"""Setting -> why it is not for the pipeline file."""

CLIENT_SECTIONS = ("kafka", "schema_registry")
"""Sections of the pipeline file that hold such settings."""

_SECRETS = frozenset(
    {
        "sasl.password",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.assertion.private.key.pem",
        "sasl.oauthbearer.assertion.private.key.passphrase",
        "ssl.key.password",
        "ssl.key.pem",
        "ssl.keystore.password",
        "basic.auth.user.info",
        "bearer.auth.token",
        "bearer.auth.client.secret",
    }
)
"""What must come from the environment."""

_IN_ADDRESS = re.compile(r"//[^/@\s]*:[^/@\s]+@")
"""A user's password in front of a host."""


def written_secrets(tree: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a file, before its ``${NAME}`` are replaced: a secret that stands in it."""
    for section in CLIENT_SECTIONS:
        settings = tree.get(section)
        if not isinstance(settings, dict):
            continue
        for name, value in settings.items():
            left = SECRET.sub("", str(value))
            if (name in _SECRETS and left.strip(":")) or _IN_ADDRESS.search(left):
                yield f"{section}.{name}: a secret must not stand in the file; write ${{NAME}} and set NAME"


def plain(settings: Mapping[str, SecretStr]) -> dict[str, str]:
    """The settings as a client takes them."""
    return {name: value.get_secret_value() for name, value in settings.items()}


def _as_text(value: Any) -> Any:
    """YAML's true, 5 and 0.5 as the clients spell them."""
    if not isinstance(value, dict):
        return value
    return {name: _spelt(found) for name, found in value.items()}


def _spelt(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _keeps_promises(settings: dict[str, SecretStr]) -> dict[str, SecretStr]:
    refused = [f"{name!r} is not to be set: {REFUSED[name]}" for name in settings if name in REFUSED]
    if refused:
        raise ValueError("; ".join(refused))
    return settings


_Written = dict[str, str | bool | int | float]
ClientSettings = Annotated[dict[str, SecretStr], BeforeValidator(_as_text, json_schema_input_type=_Written)]
"""A client's settings by its own names."""

KafkaSettings = Annotated[ClientSettings, AfterValidator(_keeps_promises)]
"""Kafka client settings that break no promise."""
