"""What the models topic carries: manifests and the release record. Artifacts travel as raw chunks.

Keys on the topic: ``artifact/<version>/<i>``, ``manifest/<pipeline>/<version>``, ``release/<pipeline>``, and
``release/<pipeline>/<epoch>`` for the last few that acted before.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

CHUNK_BYTES = 524_288
"""The most bytes of an artifact in one record, well below Kafka's default limit of one megabyte."""

MOST_BYTES = 536_870_912
"""The largest artifact: a scorer holds one whole in memory before it can check it."""

MOST_CHUNKS = MOST_BYTES // CHUNK_BYTES

MOST_EPOCHS = 2**53
"""Beyond that not every reader of JSON keeps a number."""

EARLIER_RELEASES = 5
"""How many releases that acted before stay on the topic, byte for byte."""

STORED_UNDER = "models"
"""Where a store has artifacts, below the pipeline's name."""

Version = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.\-]{0,199}\Z")]
"""A model's version: part of keys on the topic and of names of files, so nothing that leads elsewhere."""


class Signature(msgspec.Struct, frozen=True):
    """Ed25519 over a record: the raw public key and the signature, both in base64."""

    key: Annotated[str, Meta(max_length=64)]
    value: Annotated[str, Meta(max_length=128)]


class FeatureRef(msgspec.Struct, frozen=True):
    """One column of a model's contract."""

    name: str
    hash: str
    dtype: str = "float64"


class ArtifactInfo(msgspec.Struct, frozen=True):
    """How the artifact is checked before any library sees it.

    It is cut into ``chunks`` on the topic; or there are none, and ``store`` is its name below the pipeline's
    in the declared store. That name is made of its digest: no manifest can lead a reader elsewhere.
    """

    length: Annotated[int, Meta(ge=0, le=MOST_BYTES)]
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    chunks: Annotated[int, Meta(ge=0, le=MOST_CHUNKS)]
    store: str | None = None

    def __post_init__(self) -> None:
        """Raises ValueError where the parts contradict each other."""
        if self.store is None:
            if self.chunks * CHUNK_BYTES < self.length:
                raise ValueError(f"{self.length} bytes do not fit into {self.chunks} chunks of {CHUNK_BYTES}")
        elif self.chunks or self.store != f"{STORED_UNDER}/{self.sha256}":
            raise ValueError("an artifact in a store has no chunks, and is named by its digest")

    @classmethod
    def of(cls, artifact: bytes) -> ArtifactInfo:
        """The info of ``artifact``, cut into chunks of ``CHUNK_BYTES``."""
        chunks = -(-len(artifact) // CHUNK_BYTES)
        return cls(len(artifact), hashlib.sha256(artifact).hexdigest(), chunks)

    @classmethod
    def stored(cls, artifact: bytes) -> ArtifactInfo:
        """The info of ``artifact`` as it stands in a store."""
        digest = hashlib.sha256(artifact).hexdigest()
        return cls(len(artifact), digest, 0, f"{STORED_UNDER}/{digest}")

    def is_of(self, artifact: bytes) -> bool:
        """Whether these are the bytes, wherever they stand."""
        return len(artifact) == self.length and hashlib.sha256(artifact).hexdigest() == self.sha256


class Knot(msgspec.Struct, frozen=True, array_like=True):
    """One point of a piecewise-linear calibration: this margin has these calibrated log-odds."""

    margin: float
    log_odds: float


class Calibration(msgspec.Struct, frozen=True):
    """From margin to probability, strictly rising: score = 1 / (1 + exp(-log-odds)), where log-odds is

    * Platt scaling: ``slope * margin + intercept``;
    * with ``slope_below``, beta calibration: ``slope * softplus(margin) - slope_below * softplus(-margin) +
      intercept``, softplus being log(1 + exp(.));
    * with ``knots``, linear between them, and of slope ``slope`` outside.

    All slopes are above zero, and knots rise in both numbers.
    """

    slope: float = 1.0
    intercept: float = 0.0
    slope_below: float | None = None
    knots: list[Knot] = []


class Recipe(msgspec.Struct, frozen=True):
    """How a model was fitted: enough to fit it again on other events.

    ``parameters`` are what the library was given, defaults included. ``rounds`` is the number of boosting
    rounds, with those of a champion that was begun with (``begun_with``). ``legitimate`` is the share of the
    legitimate events that was fitted on, ``fraud_weight`` what a fraud weighed more than its own weight.
    ``dropped_trees`` were left out after the fit, and leaves merged within ``tolerance`` (log-odds).
    """

    family: Literal["lightgbm", "xgboost"]
    parameters: dict[str, bool | int | float | str]
    rounds: int
    seed: int
    monotone: dict[str, Literal["increasing", "decreasing"]] = {}
    categorical: list[str] = []
    legitimate: float = 1.0
    fraud_weight: float = 1.0
    calibration: str = "platt"
    begun_with: str | None = None
    dropped_trees: list[int] = []
    tolerance: float = 0.0


class ScoreBins(msgspec.Struct, frozen=True):
    """Where scores lay: ``shares[i]`` of them above ``edges[i - 1]`` and up to ``edges[i]``."""

    edges: list[float]
    shares: list[float]


class FeatureBins(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where the values of one feature lay.

    ``shares[i]`` of those that were there, above ``edges[i - 1]`` and up to ``edges[i]``; ``missing`` of all.
    ``usual`` and ``usual_missing``: how far nine in ten stretches of the reference lay from the whole of it,
    by PSI and in the missing share. What moves that far on any day is no news. ``effective``: how many
    independent events they are worth.
    """

    edges: list[float]
    shares: list[float]
    effective: float
    missing: float = 0.0
    usual: float = 0.0
    usual_missing: float = 0.0


class FeatureReference(msgspec.Struct, frozen=True):
    """What a model knows of the world: its features on the events that it was fitted on, the newest of them.

    ``events`` were looked at; ``judged``: how many independent ones those behind ``Manifest.score_bins``
    are worth.
    """

    since: str
    until: str
    events: int
    judged: float
    features: dict[str, FeatureBins]


class Manifest(msgspec.Struct, frozen=True):
    """Everything about one immutable model version."""

    version: Version
    pipeline: str
    family: Literal["lightgbm", "xgboost"]
    features: list[FeatureRef]
    artifact: ArtifactInfo
    calibration: Calibration
    trained_at: str
    fitted_from: str
    fitted_until: str
    metrics: dict[str, float]
    rows: int
    frauds: int
    recipe: Recipe | None = None
    signature: Signature | None = None
    score_bins: ScoreBins | None = None
    """Of the judged events, by the fit that was judged: live scores are held against it."""
    feature_bins: FeatureReference | None = None
    """Live features are held against it."""


class Release(msgspec.Struct, frozen=True):
    """What acts now. Epochs never go back: a rollback is a new epoch.

    ``canary`` acts for ``canary_share`` of the entities (``streams.models.canary``), the champion for all
    others, since the release ``canary_epoch``.
    ``previous`` is the champion that a rollback returns to; it is kept as long as this record stands.
    ``earlier``: the champions before that, the newest first, to which more rollbacks would return.
    ``withdrawn``: what this release took back, because it did badly or somebody said so.
    """

    epoch: Annotated[int, Meta(ge=0, le=MOST_EPOCHS)]
    champion: str | None
    released_at: str
    why: str
    shadows: list[str] = []
    previous: str | None = None
    canary: str | None = None
    canary_share: float = 0.0
    canary_epoch: int = 0
    earlier: list[str] = []
    withdrawn: str | None = None
    by: Literal["hand", "policy"] = "hand"
    signature: Signature | None = None

    @property
    def scoring(self) -> list[str]:
        """Every version that scores: champion, canary, shadows."""
        first = [each for each in (self.champion, self.canary) if each is not None]
        return list(dict.fromkeys([*first, *self.shadows]))


def artifact_key(version: str, chunk: int) -> bytes:
    """Key of one chunk."""
    return f"artifact/{version}/{chunk}".encode()


def manifest_key(pipeline: str, version: str) -> bytes:
    """Key of a manifest."""
    return f"manifest/{pipeline}/{version}".encode()


def release_key(pipeline: str) -> bytes:
    """Key of the release record."""
    return f"release/{pipeline}".encode()


def earlier_key(pipeline: str, epoch: int | str = "") -> bytes:
    """Key of a release that acted before; without an epoch what all such keys begin with."""
    return f"release/{pipeline}/{epoch}".encode()
