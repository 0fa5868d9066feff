"""Following the policy topic off the hot path: what acts now is swapped in between batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import structlog

from feature_store.errors import PolicyError
from streams.following import TopicFollower
from streams.messages.policy import policy_key, read_document
from streams.policies.active import compile_policy
from streams.policies.document import FROM_FILE, default_document

if TYPE_CHECKING:
    import threading

    from feature_store.declaration.pipeline import Pipeline
    from streams.alerts import AlertSender, Details

_log = structlog.get_logger()
_CURE = (
    "put the pipeline file back as it was, or start `sluicegate keeper` alone and change the policy with "
    "`sluicegate policy`"
)


class PolicyWatcher(TopicFollower):
    """Keeps ``active`` up to date from a thread of its own; before the first document it is the file's.

    A document that cannot act leaves the present policy acting and raises the alert ``policy_rejected``; of
    several that came together the newest that can act is taken. Versions never go back. ``wait_for`` takes an
    offset of the policy topic. A start where documents are and none can act is refused: what they deny would
    pass.
    """

    def __init__(self, bootstrap: str, pipeline: Pipeline, alerts: AlertSender) -> None:
        """Raises PolicyError where the pipeline file's own policy is unsound."""
        super().__init__(bootstrap, pipeline.topics.policy, "policy")
        self._pipeline = pipeline
        self._alerts = alerts
        self._key = policy_key(pipeline.name)
        self._waiting: list[tuple[int, bytes]] = []
        self._newest = FROM_FILE
        self._why = "it was not understood"
        self.active = compile_policy(pipeline, default_document(pipeline))

    def start(self, told_to_stop: threading.Event | None = None) -> None:
        """Take what is there, then follow in the background. Raises PolicyError where none of it can act."""
        super().start(told_to_stop)
        if self._newest != FROM_FILE and self.active.offset == FROM_FILE:
            self.stop()
            raise PolicyError(f"no published policy can act here: {self._why}; {_CURE}")

    def not_before(self, offset: int) -> bool:
        """As ``wait_for``, for what events were decided under up to now.

        Raises PolicyError where that cannot act here, and only an older one does.
        """
        heard = self.wait_for(offset)
        if heard and self.active.offset < offset:
            raise PolicyError(
                f"events were decided under the policy at offset {offset}, here only version "
                f"{self.active.document.version} can act: {self._why}; {_CURE}"
            )
        return heard

    def _feed(self, key: bytes | None, value: bytes | None, offset: int) -> bool:
        if key != self._key or value is None:
            return False
        self._waiting.append((offset, value))
        self._newest = offset
        return True

    def _take(self) -> int:
        while self._waiting:
            offset, value = self._waiting.pop()
            try:
                self._act_under(offset, value)
            except PolicyError as error:
                self._reject(offset, str(error))
            except Exception as error:  # noqa: BLE001  (DuckDB may raise anything on SQL that it cannot take)
                self._reject(offset, f"the policy at offset {offset} cannot act: {error!r}")
            else:
                self._waiting.clear()
        return self._newest

    def _act_under(self, offset: int, value: bytes) -> None:
        try:
            document = read_document(value)
        except msgspec.MsgspecError as error:
            raise PolicyError(f"the policy at offset {offset} cannot be read: {error}") from None
        present = self.active.document.version
        if document.version <= present:
            raise PolicyError(f"version {document.version} of the policy is not after {present}, in force")
        self.active = compile_policy(self._pipeline, document, offset, self.active)
        _log.info("policy_taken", version=document.version, offset=offset, made_by=document.made_by)

    def _reject(self, offset: int, why: str) -> None:
        self._why = why
        details: Details = {"offset": offset, "version_in_force": self.active.document.version}
        self._alerts.send("policy_rejected", why, details)
