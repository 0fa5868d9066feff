"""Model versions as pages show them: what the registry knows of each, and whether it is still kept."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import msgspec

from streams.messages import Manifest, Release
from training.keeper.release.registry import ModelState
from training.keeper.store import rows

if TYPE_CHECKING:
    from feature_store.duck import Connection
    from training.keeper.desk import Desk
    from training.publish import Publisher

DAY = 86_400_000_000
"""In microseconds: what a version did lately is what it did within a day of the pipeline's clock."""


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version. ``kept``: its artifact is on the models topic, so it can be released.

    ``manifest`` None: its run came to no model; ``lineage`` None: it was not trained by this keeper's store.
    """

    name: str
    state: str
    kept: bool
    run_id: str | None = None
    epoch: int | None = None
    manifest: Manifest | None = None
    lineage: dict[str, Any] | None = None
    states: list[ModelState] = []

    @property
    def parent(self) -> str | None:
        """The champion that it was measured against."""
        return None if self.lineage is None else self.lineage["parent"]

    @property
    def metrics(self) -> dict[str, float]:
        """What it was judged by, where it came so far."""
        if self.manifest is not None and self.manifest.metrics:
            return self.manifest.metrics
        return {} if self.lineage is None else self.lineage["metrics"]

    @property
    def since(self) -> int | None:
        """When it came to its state (us)."""
        return self.states[-1].since if self.states else None


class Decided(msgspec.Struct, frozen=True):
    """What a version decided lately; ``newest`` is when it last did (us)."""

    version: str
    events: int
    approved: int
    reviewed: int
    declined: int
    mean_score: float | None
    newest: int


class Versions:
    """All versions; the models topic is read again only after a release, without which it does not change."""

    def __init__(self, desk: Desk) -> None:
        self._registry = desk.parts.registry
        self._kept = KeptModels(desk.parts.publisher)

    def all(self) -> list[Version]:
        """The newest first. Raises BrokerError."""
        kept = dict(self._kept.manifests())
        found = [self._registered(row, kept) for row in self._registry.all()]
        known = {each.name for each in found}
        elsewhere = [
            Version(name=name, state="kept", kept=True, manifest=manifest)
            for name, manifest in kept.items()
            if name not in known
        ]
        return sorted([*found, *elsewhere], key=lambda each: each.name, reverse=True)

    def _registered(self, row: dict[str, Any], kept: dict[str, Manifest]) -> Version:
        name = row["version"]
        manifest = kept.get(name)
        if manifest is None and row["manifest"] is not None:
            manifest = msgspec.convert(row["manifest"], Manifest)
        return Version(
            name=name,
            state=row["state"],
            kept=name in kept,
            run_id=row["run_id"],
            epoch=row["epoch"],
            manifest=manifest,
            lineage=row["lineage"],
            states=row["states"],
        )


def named(name: str, versions: list[Version]) -> Version:
    """The one that is called ``name``. Raises LookupError where there is none."""
    for each in versions:
        if each.name == name:
            return each
    raise LookupError(f"there is no model version {name!r}")


class KeptModels:
    """The manifests on the models topic, read once a release."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._known: tuple[Release | None, dict[str, Manifest]] | None = None
        self._one_at_a_time = threading.Lock()

    def manifests(self) -> dict[str, Manifest]:
        """By version, oldest first. Raises BrokerError."""
        with self._one_at_a_time:
            release = self._publisher.release()
            if self._known is None or self._known[0] != release:
                found = self._publisher.read()
                self._known = (found.release, found.manifests)
            return self._known[1]


def decided_lately(store: Connection, now: int) -> dict[str, Decided]:
    """What each version decided within the day before ``now`` (us)."""
    found = rows(store, "models_decided", {"since": max(0, now - DAY)})
    return {each.version: each for each in msgspec.convert(found, list[Decided])}
