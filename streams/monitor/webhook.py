"""Every alert of the pipeline, whoever raised it, to a web address: once, in order, also across restarts.

What has been sent is noted in the state folder, so an alert is sent again only where the process dies between
the two. The address is a secret: it stands in no log.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import httpx
import msgspec
import structlog

from feature_store.errors import ContractError, StorageError
from feature_store.formats import FIRST, NewerFormatError, refuse_newer
from feature_store.whole_file import write_atomically
from streams.following import TopicFollower
from streams.messages import Alert

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline

_TIMEOUT_S = 5.0
_WAITS_S = (1.0, 2.0, 4.0)
_MOST_WAITING = 1_000
_TOO_MANY = 429
_SERVER_ERRORS = 500
_log = structlog.get_logger()


class Noted(msgspec.Struct, frozen=True):
    """How far the alerts topic has been sent on."""

    topic: str
    next: int
    format: int = FIRST

    def __post_init__(self) -> None:
        """Raises NewerFormatError."""
        refuse_newer(self.format)


class _Waiting(NamedTuple):
    offset: int
    kind: str
    body: bytes


class Webhook(TopicFollower):
    """Follows the alerts topic and posts what comes, from a thread of its own.

    The first monitor of a state folder begins with what comes then. An alert that is not taken after a few
    tries is left, which is logged: others wait behind it.
    """

    def __init__(self, bootstrap: str, pipeline: Pipeline, file: Path) -> None:
        """``file`` notes how far it has come. Starting raises StorageError where a newer release wrote it."""
        super().__init__(bootstrap, pipeline.topics.alerts, "webhook")
        self._pipeline = pipeline.name
        self._url = pipeline.monitoring.webhook
        self._file = file
        self._alerts: deque[_Waiting] = deque(maxlen=_MOST_WAITING)

    def _first(self, start: int, end: int) -> int:
        noted = self._noted()  # beyond the end: the topic was made anew; before the start: some are gone
        first = end if noted is None or noted > end else max(noted, start)
        self._note(first)
        return first

    def _feed(self, key: bytes | None, value: bytes | None, offset: int) -> bool:
        del key
        try:
            alert = Alert.read(value)
        except ContractError:
            return False  # the keeper says so
        if alert.pipeline == self._pipeline:
            self._alerts.append(_Waiting(offset, alert.kind, value or b""))
        return False

    def _due_again(self) -> bool:
        return bool(self._alerts)

    def _take(self) -> None:
        """Post what waits; nothing before the thread runs, so that a start does not wait for the web."""
        if not self._thread.is_alive():
            return
        with httpx.Client(timeout=_TIMEOUT_S, follow_redirects=False) as http:
            while self._alerts and not self._stop.is_set():
                alert = self._alerts[0]
                if self._posted(http, alert):
                    self._alerts.popleft()
                    self._note(alert.offset + 1)

    def _posted(self, http: httpx.Client, alert: _Waiting) -> bool:
        """Whether it was taken, or given up; False where the process ends before that."""
        why = ""
        for wait_s in (*_WAITS_S, None):
            again, why = self._tried(http, alert)
            if not why:
                return True
            if not again or wait_s is None:
                break
            if self._stop.wait(wait_s):
                return False
        _log.error("alert_not_posted", kind=alert.kind, offset=alert.offset, why=why)
        return True

    def _tried(self, http: httpx.Client, alert: _Waiting) -> tuple[bool, str]:
        """Whether another try may help, and why it was not taken; empty where it was."""
        headers = {
            "content-type": "application/json",
            "idempotency-key": f"{self._pipeline}-{alert.offset}",
        }
        try:
            answer = http.post(self._url, content=alert.body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            return True, type(error).__name__  # its text may name the address
        if answer.is_success:
            return False, ""
        again = answer.status_code == _TOO_MANY or answer.status_code >= _SERVER_ERRORS
        return again, f"it answered {answer.status_code}"

    def _noted(self) -> int | None:
        try:
            noted = msgspec.json.decode(self._file.read_bytes(), type=Noted)
        except FileNotFoundError:
            return None
        except NewerFormatError as error:  # to begin anew would leave alerts out
            raise StorageError(f"{self._file}: {error}") from error
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            _log.warning("webhook_note_unreadable", file=str(self._file), why=str(error))
            return None
        return noted.next if noted.topic == self._topic else None

    def _note(self, offset: int) -> None:
        write_atomically(self._file, msgspec.json.encode(Noted(self._topic, offset)))
