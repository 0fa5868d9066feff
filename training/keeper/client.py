"""Talking to a running keeper, as the commands do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import httpx
import msgspec

from feature_store.errors import SluicegateError
from training.keeper.backup.manifest import Backup
from training.keeper.evidence import Evidence
from training.keeper.forget.told import Forgotten
from training.keeper.server import ADDRESS_FILE, Address
from training.keeper.who import who_asks, who_header

if TYPE_CHECKING:
    from pathlib import Path

_TIMEOUT_S = 60.0
_HISTORY_TIMEOUT_S = 3_600.0
"""A year of events takes minutes to move."""


class KeeperUnreachableError(SluicegateError):
    """No keeper runs on this state folder, or it does not answer."""


class KeeperRefusedError(SluicegateError):
    """The keeper answered that it will not do this, and why."""


class KeeperClient:
    """The keeper that runs on ``state_dir``; use it in a ``with`` block.

    Every method raises KeeperUnreachableError or KeeperRefusedError.
    """

    def __init__(self, state_dir: Path, who: str | None = None) -> None:
        """Read where it is. Raises KeeperUnreachableError when no keeper runs there.

        ``who`` stands in the audit trail beside what is changed; without it the user of this machine.
        """
        self._state_dir = state_dir
        try:
            address = msgspec.json.decode((state_dir / ADDRESS_FILE).read_bytes(), type=Address)
        except FileNotFoundError as error:
            raise KeeperUnreachableError(
                f"no keeper runs on {state_dir}; start one with `sluicegate up` or `sluicegate keeper`, "
                "or name its folder with --state-dir"
            ) from error
        except (OSError, msgspec.MsgspecError) as error:
            raise KeeperUnreachableError(f"{state_dir / ADDRESS_FILE}: cannot be read: {error}") from error
        headers = {"authorization": f"Bearer {address.token}", **who_header(who or who_asks())}
        self._address = address
        self._http = httpx.Client(base_url=address.url, headers=headers, timeout=_TIMEOUT_S, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    @property
    def console_link(self) -> str:
        """What lets a browser of this machine in to the console."""
        return f"{self._address.url}/console/enter?key={self._address.token}"

    def audit(self, most: int) -> list[dict[str, Any]]:
        """The newest changes of the audit trail, the newest first."""
        return list(self._ask("GET", f"/audit?most={most}"))

    def note_done(self, what: str, subject: str, after: dict[str, Any] | None = None) -> None:
        """Let the audit trail say what a command did by itself: ``redrive`` or ``reload``."""
        self._ask("POST", "/audit", {"what": what, "subject": subject, "after": after})

    def status(self) -> dict[str, Any]:
        """Clock, lag, rows, next run, release."""
        return dict(self._ask("GET", "/status"))

    def runs(self) -> list[dict[str, Any]]:
        """Every training run, oldest first."""
        return list(self._ask("GET", "/runs"))

    def models(self) -> dict[str, Any]:
        """The release, the kept versions, and the registry of all."""
        return dict(self._ask("GET", "/models"))

    def model(self, version: str) -> dict[str, Any]:
        """One version's manifest, states and lineage."""
        return dict(self._ask("GET", f"/models/{_safe(version)}"))

    def card(self, version: str) -> str:
        """The model card of a trained version, a whole HTML page."""
        return str(self._ask("GET", f"/models/{_safe(version)}/card")["html"])

    def summary(self) -> dict[str, Any]:
        """How well champions and shadows did so far, by matured labels."""
        return dict(self._ask("GET", "/metrics/summary"))

    def event(self, event_id: str) -> list[Evidence]:
        """All that is stored about an event; more than one where several have this id."""
        return msgspec.convert(self._ask("GET", f"/event?id={quote(event_id, safe='')}"), list[Evidence])

    def train(self, *, shuffle_labels: bool = False, dry: bool = False, trust_data: bool = False) -> str:
        """Ask for a training run now, which is published unless it is ``dry``; returns its id."""
        asked = {"shuffle_labels": shuffle_labels, "dry": dry, "trust_data": trust_data}
        return str(self._ask("POST", "/train", asked)["run_id"])

    def promote(self, version: str, canary: float | None = None) -> dict[str, Any]:
        """Make a kept version the champion, or the canary for a share of the entities; the new release."""
        return dict(self._ask("POST", f"/models/{_safe(version)}/promote", {"canary": canary}))

    def shadow(self, version: str) -> dict[str, Any]:
        """Let a kept version score beside the champion; returns the new release."""
        return dict(self._ask("POST", f"/models/{_safe(version)}/shadow"))

    def unshadow(self, version: str) -> dict[str, Any]:
        """Let a shadow score no more; returns the new release."""
        return dict(self._ask("POST", f"/models/{_safe(version)}/unshadow"))

    def rollback(self) -> dict[str, Any]:
        """End the canary, or return to the champion before; returns the new release."""
        return dict(self._ask("POST", "/rollback"))

    def policy(self) -> dict[str, Any]:
        """The policy in force."""
        return dict(self._ask("GET", "/policy"))

    def policies(self) -> list[dict[str, Any]]:
        """Every version of the policy, oldest first."""
        return list(self._ask("GET", "/policy/history"))

    def change_policy(self, change: dict[str, Any]) -> dict[str, Any]:
        """Change the policy (``training.policy.change``); returns what is in force then."""
        return dict(self._ask("POST", "/policy", change))

    def import_history(self, folder: Path) -> dict[str, Any]:
        """Take in a folder of history inside the state folder; returns how many ``rows`` went in."""
        return self._about_history("/history", folder)

    def export_history(self, folder: Path) -> dict[str, Any]:
        """Write what is stored to a new folder inside the state folder; returns ``pipeline`` and counts."""
        return self._about_history("/export-history", folder)

    def back_up(self, folder: Path) -> Backup:
        """Write a backup into a new folder inside the state folder; returns what is in it."""
        return msgspec.convert(self._about_history("/backup", folder), Backup)

    def forget(self, field: str, value: str, *, dry: bool = False) -> Forgotten:
        """Delete what is stored about the events whose ``field`` is ``value``, or only say what that is."""
        asked = {"field": field, "value": value, "dry": dry}
        return msgspec.convert(self._ask("POST", "/forget", asked, _HISTORY_TIMEOUT_S), Forgotten)

    def _about_history(self, path: str, folder: Path) -> dict[str, Any]:
        return dict(self._ask("POST", path, {"folder": str(folder.resolve())}, _HISTORY_TIMEOUT_S))

    def _ask(
        self, method: str, path: str, body: dict[str, Any] | None = None, timeout_s: float = _TIMEOUT_S
    ) -> Any:
        try:
            response = self._http.request(method, path, json=body, timeout=timeout_s)
            answer = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise KeeperUnreachableError(
                f"the keeper of {self._state_dir} does not answer ({error}); is it still running?"
            ) from error
        if response.is_error:
            raise KeeperRefusedError(f"the keeper says: {answer.get('error', response.status_code)}")
        return answer


def _safe(version: str) -> str:
    """A version as one path segment."""
    if not version or "/" in version or version in {".", ".."}:
        raise KeeperRefusedError(f"{version!r} is not a model version")
    return version
