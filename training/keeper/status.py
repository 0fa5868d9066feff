"""What the keeper reports about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    """The acting release and every kept version, oldest first. Raises BrokerError."""
    found = parts.publisher.read()
    return {"release": found.release, "models": list(found.manifests.values())}
