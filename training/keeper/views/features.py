"""What features were lately, and what the models that score make of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from feature_store.duck import quoted
from feature_store.errors import ContractError
from training.keeper.queries import sql
from training.keeper.store import rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from streams.messages import Manifest
    from training.keeper.parts import Parts

    Numbers = NDArray[Any]

NEWEST = 20_000
"""Decisions that are looked at."""
SCORE = "score"
"""Looked at as if it were a feature; no feature can have this name."""
_BINS = 20


@dataclass(frozen=True)
class Values:
    """What a feature was: the share of events without it, and where nine in ten of the others lay."""

    missing: float
    low: float | None = None
    median: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Recent:
    """The newest live decisions, their number and span (us since 1970), and every feature on them."""

    events: int
    since: int | None
    until: int | None
    features: Mapping[str, Values]


@dataclass(frozen=True)
class Histogram:
    """How many values lay between neighbouring ``edges``."""

    edges: Sequence[float]
    counts: Sequence[int]


@dataclass(frozen=True)
class ModelUse:
    """A version that scores: as what, and each of its features' share of what its splits gained."""

    version: str
    role: str
    gains: Mapping[str, float]

    def rank(self, name: str) -> int:
        """The place of a feature among them, 1 the first."""
        return 1 + sum(share > self.gains[name] for share in self.gains.values())


def recent(parts: Parts, names: Sequence[str]) -> Recent:
    """The features ``names``, and the score, on the newest ``NEWEST`` decisions at most."""
    table = _newest(parts, names)
    values = {name: _values(table[name]) for name in (*names, SCORE)}
    arrived = table["arrived_at"]
    if not len(arrived):
        return Recent(0, None, None, values)
    return Recent(len(arrived), int(arrived.min()), int(arrived.max()), values)


def histogram(parts: Parts, name: str) -> Histogram:
    """The values of one feature, or of the score, on the newest decisions, between steps of one width."""
    found = _newest(parts, [] if name == SCORE else [name])[name]
    present = found[np.isfinite(found)]
    if not present.size:
        return Histogram([], [])
    different = np.unique(present)
    if different.size == 1:
        return Histogram([float(different[0])] * 2, [int(present.size)])
    # The farthest values would leave all the others one column: they are counted in the outermost ones.
    low, high = np.quantile(present, [0.005, 0.995])
    if low == high:
        low, high = different[0], different[-1]
    counts, edges = np.histogram(np.clip(present, low, high), min(_BINS, different.size), (low, high))
    return Histogram(edges.tolist(), counts.tolist())


class Importances:
    """What each version that scores gained by each feature; an artifact is looked at once."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._known: dict[str, dict[str, float]] = {}

    def __call__(self) -> list[ModelUse]:
        """Champion, canary and shadows. Raises BrokerError, or ContractError where one is not whole."""
        release = self._parts.publisher.release()
        if release is None:
            return []
        if any(version not in self._known for version in release.scoring):
            topic = self._parts.publisher.read()
            self._known = {
                version: self._known.get(version) or _gains(topic.manifest(version), topic.artifact(version))
                for version in release.scoring
            }
        roles = {release.canary: "canary", release.champion: "champion"}
        return [
            ModelUse(version, roles.get(version, "shadow"), self._known[version])
            for version in release.scoring
        ]


def _gains(manifest: Manifest, artifact: bytes) -> dict[str, float]:
    from training.card.importance import gains  # noqa: PLC0415  (loads the model libraries)

    if not manifest.artifact.is_of(artifact):
        raise ContractError(f"model {manifest.version}: its artifact is not what its manifest says")
    names = [feature.name for feature in manifest.features]
    return dict(zip(names, gains(manifest.family, artifact, names).tolist(), strict=True))


def _newest(parts: Parts, names: Sequence[str]) -> dict[str, Numbers]:
    """Column -> values of the newest decisions; NaN where there is none, arrivals in us."""
    columns = "".join(f", {quoted(name)}" for name in names)
    with parts.store.cursor() as cursor:
        end = rows(cursor, "features_end")[0]["row_count"]
        given = {"first": max(0, (end if isinstance(end, int) else 0) - NEWEST)}
        table = cursor.sql(sql("features_recent").format(columns=columns), params=given).to_arrow_table()
    found = {name: table[name].to_numpy() for name in (*names, SCORE)}
    return found | {"arrived_at": table["arrived_at"].to_numpy().astype("datetime64[us]").astype(np.int64)}


def _values(found: Numbers) -> Values:
    present = found[~np.isnan(found)]
    if not present.size:
        return Values(1.0 if found.size else 0.0)
    low, median, high = np.quantile(present, [0.05, 0.5, 0.95]).tolist()
    return Values(1.0 - present.size / found.size, low, median, high)
