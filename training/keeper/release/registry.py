"""The registry in the keeper's store: versions with their lineage, and every state that they were in."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from feature_store.units import from_text
from training.keeper.queries import sql
from training.keeper.store import rows, transaction

if TYPE_CHECKING:
    from feature_store.duck import Connection
    from streams.messages import Manifest, Release
    from training.keeper.release.lineage import Lineage

State = Literal["refused", "shadow", "canary", "champion", "retired", "rolled_back"]

_SCORING = ("shadow", "canary", "champion")


class ModelState(msgspec.Struct, frozen=True):
    """What a version was since ``since`` (us); ``epoch``: the release that made it so, if one did."""

    version: str
    state: State
    since: int
    epoch: int | None
    by: Literal["hand", "policy"]
    why: str


class Registry:
    """Tables ``models`` and ``model_states``, for any thread."""

    def __init__(self, store: Connection) -> None:
        self._store = store
        self._one_at_a_time = threading.Lock()

    def add(self, version: str, run_id: str, manifest: Manifest | None, lineage: Lineage) -> None:
        """Note a trained version, in place of what an interrupted attempt of the same run noted."""
        told = {
            "version": version,
            "run_id": run_id,
            "manifest": None if manifest is None else msgspec.json.encode(manifest).decode(),
            "lineage": msgspec.json.encode(lineage).decode(),
        }
        with self._one_at_a_time, self._store.cursor() as cursor, transaction(cursor):
            cursor.execute(sql("forget_model"), {"version": version})
            cursor.execute(sql("add_model"), told)

    def refuse(self, version: str, now: int, why: str) -> None:
        """Note that a version will not be released."""
        with self._one_at_a_time, self._store.cursor() as cursor, transaction(cursor):
            _enter(cursor, ModelState(version, "refused", now, None, "policy", why))

    def follow(self, release: Release) -> None:
        """Note what a release changed. The same one again, or one after a gap, leads to the same states.

        One that is older than what is noted changes nothing. Raises StorageError.
        """
        wanted: dict[str, State] = dict.fromkeys(release.shadows, "shadow")
        if release.canary is not None:
            wanted[release.canary] = "canary"
        if release.champion is not None:
            wanted[release.champion] = "champion"
        with self._one_at_a_time, self._store.cursor() as cursor, transaction(cursor):
            before = {each.version: each for each in _present(cursor)}
            if any(each.epoch is not None and each.epoch > release.epoch for each in before.values()):
                return
            scored = [each.version for each in before.values() if each.state in _SCORING]
            for version in scored:
                wanted.setdefault(version, "rolled_back" if version == release.withdrawn else "retired")
            for version, state in wanted.items():
                was = before.get(version)
                if was is not None and was.state == state and not _anew(was, release):
                    continue
                told = {"version": version, "epoch": release.epoch}
                cursor.execute(sql("add_released_model"), told)
                cursor.execute(sql("first_epoch"), told)
                since = from_text(release.released_at)
                _enter(cursor, ModelState(version, state, since, release.epoch, release.by, release.why))

    def present(self) -> dict[str, ModelState]:
        """Version -> what it is; first entered first. Versions that never had a state are not in it."""
        with self._store.cursor() as cursor:
            return {each.version: each for each in _present(cursor)}

    def newest_epoch(self) -> int:
        """The newest release that changed a state; 0 before any."""
        return max((each.epoch or 0 for each in self.present().values()), default=0)

    def was_rolled_back(self, version: str) -> bool:
        """Whether it was ever taken back."""
        with self._store.cursor() as cursor:
            return bool(rows(cursor, "was_rolled_back", {"version": version})[0]["found"])

    def all(self) -> list[dict[str, Any]]:
        """Every version, oldest first: its state and states, lineage, manifest, run and first epoch."""
        with self._store.cursor() as cursor:
            models = rows(cursor, "all_models")
            entered = [msgspec.convert(row, ModelState) for row in rows(cursor, "all_model_states")]
        states: defaultdict[str, list[ModelState]] = defaultdict(list)
        for each in entered:
            states[each.version].append(each)
        return [_told(model, states[str(model["version"])]) for model in models]

    def find(self, version: str) -> dict[str, Any] | None:
        """One version as ``all`` tells it; None for an unknown one."""
        return next((each for each in self.all() if each["version"] == version), None)


def _present(cursor: Connection) -> list[ModelState]:
    return [msgspec.convert(row, ModelState) for row in rows(cursor, "present_states")]


def _anew(was: ModelState, release: Release) -> bool:
    """Whether it is the canary once more, of another share."""
    return was.state == "canary" and was.epoch is not None and was.epoch < release.canary_epoch


def _enter(cursor: Connection, state: ModelState) -> None:
    cursor.execute(sql("add_model_state"), msgspec.structs.asdict(state))


def _told(model: dict[str, Any], states: list[ModelState]) -> dict[str, Any]:
    """A version that has no state is from before they were kept, and acts no more."""
    decoded = {name: _decoded(model[name]) for name in ("manifest", "lineage")}
    return {
        "version": model["version"],
        "state": states[-1].state if states else "retired",
        "states": states,
        "epoch": model["epoch"],
        "run_id": model["run_id"],
        **decoded,
    }


def _decoded(text: object) -> Any:
    return msgspec.json.decode(text) if isinstance(text, str) else None
