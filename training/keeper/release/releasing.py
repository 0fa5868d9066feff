"""Taking releases forward and back by policy, in a thread of the keeper's own, on the pipeline's clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.keeper.parts import Parts


def registered(parts: Parts) -> None:
    """Let the registry follow every release from here on, after what an earlier keeper may have left out.

    Raises BrokerError.
    """
    release = parts.publisher.release()
    if release is not None:
        parts.registry.follow(release)
    parts.publisher.on_release = parts.registry.follow
