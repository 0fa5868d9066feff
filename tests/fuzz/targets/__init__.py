"""Every reader that is fuzzed, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fuzz.targets import events, files, published, records, staged, state, trees, web

if TYPE_CHECKING:
    from tests.fuzz.target import Target

TARGETS: dict[str, Target] = {
    target.name: target
    for module in (events, files, published, records, staged, state, trees, web)
    for target in module.TARGETS
}
