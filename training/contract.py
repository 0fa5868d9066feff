"""What keeper and trainer say to each other: one run folder, a request in it, a result back.

    <run folder>/
      request.json           TrainingRequest, written by the keeper
      snapshot/scored.parquet    the feature log in the declared history window
      snapshot/outcomes.parquet  every outcome that had arrived by ``as_of``
      champion/              manifest.json and artifact of the champion, where there is one
      result.json            TrainingResult, written by the trainer, last
      artifact               the raw bytes of what is released, where the gate passed
      challenger.artifact    what was judged and refused, kept beside its reasons
      challenger.json        its manifest
      card.html              the model card of what was judged

Paths in a request are relative to the run folder. Instants are int64 microseconds since 1970 UTC, or RFC 3339
text where they end up in a manifest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeVar

import msgspec

from feature_store.errors import ContractError
from feature_store.whole_file import write_atomically
from streams.messages import Manifest

if TYPE_CHECKING:
    from pathlib import Path

REQUEST = "request.json"
RESULT = "result.json"
ARTIFACT = "artifact"
REFUSED_ARTIFACT = "challenger.artifact"
REFUSED_MANIFEST = "challenger.json"
CARD = "card.html"
SNAPSHOT = "snapshot"
SCORED = "scored.parquet"
OUTCOMES = "outcomes.parquet"

Verdict = Literal["passed", "refused"]

_Message = TypeVar("_Message", bound=msgspec.Struct)


class ChampionRef(msgspec.Struct, frozen=True):
    """The acting model, which a challenger is measured against; both paths hold its files."""

    version: str
    manifest: str
    artifact: str


class TrainingRequest(msgspec.Struct, frozen=True):
    """What the trainer is asked to do.

    ``as_of`` (us) is when the run was due, on the pipeline's clock: nothing that arrived later is in the
    snapshot.
    ``shuffle_labels`` asks for labels without meaning, which an honest gate refuses. ``trust_data`` says that
    labels and features are as they should be, however strange they look to the gate. ``tuning`` is the file
    that the search for parameters keeps its trials in, outside of the run folder; None: in memory.
    """

    run_id: str
    pipeline: str
    as_of: int
    next_version: str
    why: str
    snapshot: str = SNAPSHOT
    champion: ChampionRef | None = None
    shuffle_labels: bool = False
    trust_data: bool = False
    tuning: str | None = None


class Check(msgspec.Struct, frozen=True):
    """One thing that the gate looked at: ``name`` is a stable word, ``said`` has the numbers for a person."""

    name: str
    passed: bool
    said: str

    @property
    def reason(self) -> str:
        """As a refusal says it."""
        return f"{self.name}: {self.said}"


class TrainingResult(msgspec.Struct, frozen=True):
    """What came out. ``reasons`` say in words why the gate refused; ``manifest`` is there when it passed.

    ``metrics`` and ``champion_metrics`` are both measured on the judged stretch; ``checks`` are all that the
    gate looked at, in its order; ``seconds`` is wall time. ``rows``, ``frauds`` and ``fitted_until`` are of
    the fit that was judged: the manifest has those of what is released.
    """

    run_id: str
    verdict: Verdict
    reasons: list[str]
    as_of: int
    manifest: Manifest | None = None
    metrics: dict[str, float] = {}
    champion_metrics: dict[str, float] = {}
    fitted_from: str = ""
    fitted_until: str = ""
    judged_from: str = ""
    judged_until: str = ""
    rows: int = 0
    frauds: int = 0
    seconds: float = 0.0
    too_little_data: bool = False
    checks: list[Check] = []


def save_request(folder: Path, request: TrainingRequest) -> None:
    """Write ``request.json``."""
    write_atomically(folder / REQUEST, msgspec.json.encode(request))


def load_request(folder: Path) -> TrainingRequest:
    """Read ``request.json``. Raises ContractError."""
    return _load(folder / REQUEST, TrainingRequest)


def save_result(folder: Path, result: TrainingResult) -> None:
    """Write ``result.json``; it is there completely or not at all."""
    write_atomically(folder / RESULT, msgspec.json.encode(result))


def load_result(folder: Path) -> TrainingResult:
    """Read ``result.json``. Raises ContractError where it is missing or not a result."""
    return _load(folder / RESULT, TrainingResult)


def _load(path: Path, kind: type[_Message]) -> _Message:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise ContractError(f"{path}: cannot be read: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise ContractError(f"{path}: not a {kind.__name__}: {error}") from error
