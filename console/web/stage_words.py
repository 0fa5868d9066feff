"""What a version that is on its way to the champion still has to show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.web.run_words import lasting
from feature_store.units import format_duration

if TYPE_CHECKING:
    from feature_store.declaration.release import ReleaseSpec
    from training.keeper.views.models import Version

_SECOND = 1_000_000


def stage_words(version: Version, spec: ReleaseSpec, now: int) -> str | None:
    """How it moves on from shadow or canary at ``now`` (us, the pipeline's clock); None for other states."""
    if version.state not in {"shadow", "canary"} or not version.states:
        return None
    entered = version.states[-1]
    stayed = lasting(max(0, now - entered.since) / _SECOND)
    if entered.by == "hand":
        return (
            f"A person made it the {version.state} {stayed} ago; it stays so until a person says otherwise."
        )
    if version.state == "canary":
        return (
            f"By policy it has been the canary for {stayed}. It becomes the champion after "
            f"{format_duration(spec.canary.stays)} and {spec.rollback.least:,} events without alarm."
        )
    following = "canary" if spec.canary.stays else "champion"
    return (
        f"By policy it has been a shadow for {stayed}. It becomes the {following} after "
        f"{format_duration(spec.shadow.stays)} and {spec.shadow.min_frauds:,} matured frauds that it scored, "
        "unless it is surely worse."
    )
