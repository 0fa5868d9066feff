"""Which Kafka, and how to connect to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from feature_store.declaration.clients import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from feature_store.declaration.pipeline import Pipeline


class Cluster(str):
    """The addresses of a Kafka, with the settings that its clients connect with.

    It stands wherever addresses do, and reads, prints and compares as just these: the settings hold secrets.
    Plain text is addresses without settings.
    """

    __slots__ = ("settings",)
    settings: Mapping[str, str]

    def __new__(cls, addresses: str, settings: Mapping[str, str] | None = None) -> Self:
        """``settings`` by librdkafka's names, as checked by the pipeline file."""
        made = super().__new__(cls, addresses)
        made.settings = dict(settings or {})
        return made

    @classmethod
    def of(cls, addresses: str, pipeline: Pipeline) -> Self:
        """The Kafka at ``addresses``, connected to as ``pipeline`` declares."""
        return cls(addresses, plain(pipeline.kafka))

    def __repr__(self) -> str:
        return str.__repr__(self)


def connection(bootstrap: str) -> dict[str, Any]:
    """What makes a client one of the Kafka at ``bootstrap``; it goes last, over any setting of ours."""
    settings = bootstrap.settings if isinstance(bootstrap, Cluster) else {}
    return {"bootstrap.servers": str(bootstrap), **settings}
