"""What the keeper's API can be told to do; each is done, then noted in the audit trail."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from training.keeper.backup import take_backup
from training.keeper.forget import forget
from training.keeper.history_export import export_history
from training.keeper.history_import import import_history
from training.keeper.store import newest_arrival
from training.keeper.who import who_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from streams.messages import Release
    from training.keeper.desk import Desk
    from training.publish_policy import InForce

    Does = Callable[[Request, bytes], Any]


class TrainCommand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of ``POST /train``."""

    shuffle_labels: bool = False
    dry: bool = False
    trust_data: bool = False


class PromoteCommand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of ``POST /models/{version}/promote``; ``canary``: only for that share of the entities."""

    canary: float | None = None


class FolderCommand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of ``POST /history``, ``/export-history``, ``/backup``: a folder inside the state folder."""

    folder: str


class ForgetCommand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of ``POST /forget``: whose data goes; ``dry``: only say what that is."""

    field: str
    value: str
    dry: bool = False


class DoneCommand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of ``POST /audit``: what a command has done without the keeper."""

    what: Literal["redrive", "reload"]
    subject: str
    after: dict[str, Any] | None = None


class Commands:
    """The commands by path; usable from any thread."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._parts = desk.parts
        self._backing_up = threading.Lock()
        self.by_path: dict[str, Does] = {
            "/train": self._train,
            "/models/{version}/promote": self._promote,
            "/models/{version}/shadow": self._shadow,
            "/models/{version}/unshadow": self._unshadow,
            "/rollback": self._rollback,
            "/policy": self._policy,
            "/history": self._import_history,
            "/export-history": self._export_history,
            "/backup": self._backup,
            "/forget": self._forget,
            "/audit": self._done_elsewhere,
        }

    def _note(self, request: Request, what: str, subject: str, before: Any = None, after: Any = None) -> None:
        self._desk.audit.note(who_of(request), "command", "command", what, subject, before, after)

    def _train(self, request: Request, body: bytes) -> Any:
        asked = msgspec.structs.asdict(msgspec.json.decode(body or b"{}", type=TrainCommand))
        run = self._desk.ask_for_run(**asked)
        self._note(request, "train", run.run_id, None, {"as_of": run.as_of, **asked})
        return {"run_id": run.run_id}

    def _promote(self, request: Request, body: bytes) -> Any:
        share = msgspec.json.decode(body or b"{}", type=PromoteCommand).canary
        if share is None:
            return self._released(request, "promote", self._parts.publisher.promote)
        return self._released(request, "canary", lambda version: self._parts.publisher.canary(version, share))

    def _shadow(self, request: Request, _body: bytes) -> Any:
        return self._released(request, "shadow", self._parts.publisher.shadow)

    def _unshadow(self, request: Request, _body: bytes) -> Any:
        return self._released(request, "unshadow", self._parts.publisher.unshadow)

    def _rollback(self, request: Request, _body: bytes) -> Any:
        return self._released(request, "rollback", lambda _: self._parts.publisher.rollback())

    def _released(self, request: Request, what: str, release: Callable[[str], Release]) -> Release:
        version = request.path_params.get("version", "")
        before = self._parts.publisher.release()
        after = release(version)
        taken_back = before and (before.canary or before.champion)
        self._note(request, what, version or taken_back or "", told_release(before), told_release(after))
        return after

    def _policy(self, request: Request, body: bytes) -> InForce:
        before = self._desk.policies.in_force().document
        made = self._desk.policies.asked(msgspec.json.decode(body))
        after = made.document
        self._note(
            request,
            "policy",
            f"version {after.version}",
            {"version": before.version},
            {"version": after.version, "made_by": after.made_by, "why": after.why},
        )
        return made

    def _import_history(self, request: Request, body: bytes) -> Any:
        parts, folder = self._parts, _folder(body)
        with parts.writing, parts.store.cursor() as cursor:
            taken = import_history(cursor, parts.pipeline, parts.settings.state_dir, folder)
            parts.clock.observe(newest_arrival(cursor))
        self._note(request, "history_import", folder.name, None, taken)
        return taken

    def _done_elsewhere(self, request: Request, body: bytes) -> Any:
        done = msgspec.json.decode(body, type=DoneCommand)
        self._note(request, done.what, done.subject, None, done.after)
        return {}

    def _export_history(self, request: Request, body: bytes) -> Any:
        parts, folder = self._parts, _folder(body)
        with parts.store.cursor() as cursor:
            given = export_history(cursor, parts.pipeline, parts.settings.state_dir, folder)
        self._note(request, "history_export", folder.name, None, given)
        return given

    def _backup(self, request: Request, body: bytes) -> Any:
        parts, folder = self._parts, _folder(body)
        self._note(request, "backup", folder.name)
        with self._backing_up, parts.store.cursor() as cursor:
            return take_backup(cursor, parts.settings.state_dir, folder)

    def _forget(self, request: Request, body: bytes) -> Any:
        asked = msgspec.json.decode(body, type=ForgetCommand)
        policy, running = self._desk.policies.in_force().document, self._desk.trainings.running
        done = forget(self._parts, policy, running, asked.field, asked.value, dry=asked.dry)
        if not asked.dry:
            told = {"digest": done.digest, "events": done.events, "rows": done.rows}
            self._note(request, "forget", asked.field, None, told)
        return done


def told_release(release: Release | None) -> dict[str, Any] | None:
    """What the audit trail says of a release."""
    if release is None:
        return None
    canary = {"canary": release.canary, "canary_share": release.canary_share} if release.canary else {}
    return {"epoch": release.epoch, "champion": release.champion, **canary, "shadows": release.shadows}


def _folder(body: bytes) -> Path:
    return Path(msgspec.json.decode(body, type=FolderCommand).folder)
