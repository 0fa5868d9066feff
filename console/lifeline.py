"""A child process never outlives the supervisor that started it.

The supervisor holds the writing end of the child's standard input. However it ends, even by SIGKILL, that
pipe closes; then the child asks itself to stop, and ends for good after a grace.
"""

from __future__ import annotations

import os
import signal
import threading

LIFELINE = "SLUICEGATE_LIFELINE"
GRACE_SECONDS = 15.0


def hold_lifeline() -> None:
    """Stop this process when its supervisor is gone; nothing where it has none."""
    if os.environ.pop(LIFELINE, None):
        descriptor = os.dup(0)
        threading.Thread(target=_watch, args=(descriptor,), name="lifeline", daemon=True).start()


def _watch(descriptor: int) -> None:
    while os.read(descriptor, 64):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(GRACE_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)
