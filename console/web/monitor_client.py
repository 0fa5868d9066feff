"""Asking the monitor for its live figures."""

from __future__ import annotations

import httpx
import msgspec

from console.web.monitor_figures import MonitorFigures
from feature_store.errors import ConfigError

_TIMEOUT_S = 1.0


def monitor_figures(url: str | None) -> MonitorFigures:
    """What the monitor at ``url`` tells now.

    Raises ConfigError where nobody said where it is or what is there is none, ConnectionError where it does
    not answer within a second.
    """
    if url is None:
        raise ConfigError("nobody told the keeper where it is: start the keeper with --monitor-url URL")
    try:
        answer = httpx.get(f"{url.rstrip('/')}/status.json", timeout=_TIMEOUT_S, trust_env=False)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise ConnectionError(f"{url} does not answer: {error}") from error
    try:
        return msgspec.json.decode(answer.content, type=MonitorFigures)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(f"what answers at {url} is no monitor of this version: {error}") from error
