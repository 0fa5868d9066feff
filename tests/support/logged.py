"""The metadata of a feature log message that holds nothing."""

from __future__ import annotations

from typing import Any

from feature_store.log import LogMeta


def nothing_logged(pipeline: str = "p", **given: Any) -> LogMeta:
    """Of no offset of partition 0, under no release and no policy; ``given`` says what else holds."""
    return LogMeta(pipeline, "events", 0, 0, 0, 0, -1, [], [], {}, **given)
