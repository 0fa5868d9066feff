"""What the keeper reports about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from training.keeper.store import rows

if TYPE_CHECKING:
    from training.keeper.parts import Parts


def status(parts: Parts) -> dict[str, Any]:
    """Clock, positions and lag per topic, rows in the store, and what acts. Raises BrokerError."""
    sunk, ends = parts.progress.offsets(), parts.ends()
    lag = dict.fromkeys(parts.ends.topics, 0)
    for (topic, partition), end in ends.items():
        lag[topic] += max(0, end - sunk.get((topic, partition), 0))
    with parts.store.cursor() as cursor:
        counts = rows(cursor, "row_counts")[0]
    return {
        "pipeline": parts.pipeline.name,
        "clock": {"name": parts.pipeline.clock, "now": parts.clock.now()},
        "schedule": {
            "cron": parts.pipeline.training.schedule,
            "time_zone": parts.pipeline.training.time_zone,
        },
        "offsets": {f"{topic}[{partition}]": at for (topic, partition), at in sorted(sunk.items())},
        "lag": lag,
        "rows": counts,
        "release": parts.publisher.release(),
    }


def models(parts: Parts) -> dict[str, Any]:
    """The acting release, every kept version, and the registry of all; oldest first. Raises BrokerError."""
    found = parts.publisher.read()
    return {
        "release": found.release,
        "models": list(found.manifests.values()),
        "registry": parts.registry.all(),
    }


def model(parts: Parts, version: str) -> dict[str, Any]:
    """One version: its manifest with ``state``, ``states`` and ``lineage``, whether it is kept or not.

    Raises LookupError for an unknown one, BrokerError.
    """
    manifest = parts.publisher.read().manifests.get(version)
    known = parts.registry.find(version)
    if manifest is None and known is None:
        raise LookupError(f"there is no model version {version!r}")
    told = msgspec.to_builtins(manifest) if manifest is not None else (known and known["manifest"]) or {}
    about = {name: known[name] for name in ("state", "states", "lineage", "run_id")} if known else {}
    return {**told, "version": version, "kept": manifest is not None, **about}
