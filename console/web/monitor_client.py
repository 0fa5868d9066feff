"""The monitor's live figures, as its /status.json gives them."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec

from feature_store.errors import ConfigError

_TIMEOUT_S = 1.0
_MOST_BYTES = 16_777_216


def monitor_status(url: str | None) -> dict[str, Any]:
    """What the monitor at ``url`` says now.

    Raises ConfigError where nobody said where it is or it says no JSON object, HTTPError where it does not
    answer within a second.
    """
    if url is None:
        raise ConfigError("nobody told the keeper where it is: start the keeper with --monitor-url URL")
    answer = httpx.get(f"{url.rstrip('/')}/status.json", timeout=_TIMEOUT_S, trust_env=False)
    answer.raise_for_status()
    if len(answer.content) > _MOST_BYTES:
        raise ConfigError(f"what is at {url} says {len(answer.content)} bytes: that is no monitor")
    try:
        return msgspec.json.decode(answer.content, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(f"what is at {url} is no monitor: {error}") from error
