"""What was deleted about a person, and what is left where: without saying who it is."""

from __future__ import annotations

import msgspec


class Forgotten(msgspec.Struct, frozen=True):
    """What a deletion did, or with ``dry`` would do.

    ``digest`` stands for the value: an HMAC-SHA256 under a key that this store alone has; empty with ``dry``.
    ``rows`` counts what went per table. ``deltas_to_send`` are outcomes that scorers must hear of first.
    ``policy`` names lists, snoozes and rules in force that hold the value; ``policy_versions`` counts older
    versions in which it was blanked, ``audit_lines`` what the trail said of them. ``kafka_until`` and
    ``state_until`` (RFC 3339) are when topics, and the scorers' windows, hold nothing of it any more, unless
    more comes. ``forgotten_before``: when the same was last deleted.
    """

    field: str
    digest: str
    dry: bool
    events: int
    first_event: str | None
    last_event: str | None
    rows: dict[str, int]
    deltas_to_send: int
    policy: list[str]
    policy_versions: int
    audit_lines: int
    kafka_until: str
    state_until: str
    forgotten_before: str | None
