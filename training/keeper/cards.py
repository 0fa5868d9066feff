"""Model cards, from the folders of the runs that drew them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from training.contract import CARD

if TYPE_CHECKING:
    from training.keeper.parts import Parts


class Card(msgspec.Struct, frozen=True):
    """One card: a whole HTML page."""

    version: str
    run_id: str
    html: str


def card(parts: Parts, version: str) -> Card:
    """The card of a trained version, released or refused.

    Raises LookupError where there is none, and says why.
    """
    known = parts.registry.find(version)
    if known is None:
        raise LookupError(f"there is no model version {version!r}")
    run_id = known["run_id"]
    if run_id is None:
        raise LookupError(f"model {version} was not trained here, so nothing drew a card of it")
    file = parts.run_folder(run_id) / CARD
    try:
        return Card(version, run_id, file.read_text(encoding="utf-8"))
    except OSError as error:
        log = file.with_name("trainer.log")
        raise LookupError(
            f"model {version} has no card: {file}: {error.strerror}; if it could not be drawn, {log} says why"
        ) from error
