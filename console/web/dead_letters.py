"""Dead letters: how many for which reason, each with its bytes, and sending them again."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from console.dead_letters import EventIds, Place, Selection, letter_of, place_of
from console.web.letter_lines import body_of, letter_line
from console.web.live import MOST_BYTES, MOST_LETTERS
from console.web.masking import sees_personal
from console.web.redriving import Redriving
from console.web.visitor import Role, Visitor
from streams.kafka import LARGEST_MESSAGE, end_offsets, read_range, reader, start_offsets

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route

    from console.dead_letters import DeadLetter
    from console.web.redriving import Redrive
    from console.web.routing import Routes
    from console.web.site import Site

_SHOWN = 100
_PATIENCE_S = 2.0
"""A small redrive is over before the page is shown again."""


def routes(to: Routes) -> list[Route]:
    """List, letter, and redrive."""
    pages = _Pages(to.site)
    return [
        to.page("/dead-letters", "dead_letters.html", pages.listed),
        to.page("/dead-letters/{partition:int}/{offset:int}", "dead_letter.html", pages.one),
        to.form("/dead-letters/redrive", pages.redrive, Role.OPERATOR),
    ]


class _Pages:
    """They share what is being sent again."""

    def __init__(self, site: Site) -> None:
        self._redriving = Redriving(site.desk)
        self._ids = EventIds(site.desk.parts.pipeline.event.id)

    def listed(self, site: Site, request: Request, visitor: Visitor) -> dict[str, Any]:
        """Reasons with their counts, and the newest letters: all, of one reason, or of one event."""
        found = site.live.letters()
        letters = found.value or []
        reason = request.query_params.get("reason", "")
        event_id = request.query_params.get("event_id", "").strip()
        meant = Selection(frozenset([reason] if reason else ()), event_id=event_id or None)
        chosen = [each for each in letters if meant.means(each, self._ids)]
        whole = sees_personal(visitor)
        return {
            "why": found.why,
            "reasons": Counter(each.reason or "unknown" for each in letters).most_common(),
            "reason": reason,
            "event_id": event_id,
            "read": len(letters),
            "cut": len(letters) == MOST_LETTERS
            or sum(len(each.value or b"") for each in letters) > MOST_BYTES - LARGEST_MESSAGE,
            "found": len(chosen),
            "letters": [letter_line(each, self._ids, whole=whole) for each in chosen[:_SHOWN]],
            "whole": whole,
            "redrive": self._redriving.newest,
            "operator": visitor.may(Role.OPERATOR),
        }

    def one(self, site: Site, request: Request, visitor: Visitor) -> dict[str, Any]:
        """A letter: where it came from and why it was refused; its bytes for those who see personal data."""
        place = Place(request.path_params["partition"], request.path_params["offset"])
        letter = _letter_at(site, place)
        whole = sees_personal(visitor)
        return {
            "letter": letter,
            "line": letter_line(letter, self._ids, whole=whole),
            "whole": whole,
            "body": body_of(letter.value) if whole else None,
            "key": body_of(letter.key).text if whole else None,
            "headers": [(name, body_of(value).text) for name, value in letter.headers] if whole else [],
            "header_count": len(letter.headers),
            "redrive": self._of(letter.place),
            "operator": visitor.may(Role.OPERATOR),
        }

    def _of(self, place: Place) -> Redrive | None:
        """The newest redrive, if it is of this letter."""
        newest = self._redriving.newest
        return newest if newest is not None and newest.what == _named(str(place)) else None

    def redrive(self, site: Site, visitor: Visitor, path: dict[str, str], fields: dict[str, str]) -> str:
        """Send one letter (``place``), those of a ``reason``, or all; with ``dry`` only say what would go."""
        del path
        place, reason = fields.get("place", ""), fields.get("reason", "")
        if place:
            selection, what = Selection(places=frozenset([place_of(place)])), _named(place)
        elif reason:
            selection, what = Selection(reasons=frozenset([reason])), f"all letters with reason {reason}"
        elif fields.get("all") == "all":
            selection, what = Selection(), "all letters"
        else:
            raise ValueError("say which: a letter, a reason, or all")
        self._redriving.start(selection, self._ids, what, visitor, dry=bool(fields.get("dry")))
        self._redriving.wait(_PATIENCE_S)
        site.live.letters.forget()
        return f"/dead-letters/{place}" if place else "/dead-letters"


def _named(place: str) -> str:
    return f"the letter {place}"


def _letter_at(site: Site, place: Place) -> DeadLetter:
    """The letter that stands there. Raises LookupError where none does."""
    parts = site.desk.parts
    topic = parts.pipeline.topics.dead_letters
    bootstrap = parts.settings.bootstrap
    consumer = reader(bootstrap)
    try:
        start = start_offsets(consumer, topic).get(place.partition, 0)
        end = end_offsets(consumer, topic).get(place.partition, 0)
    finally:
        consumer.close()
    if start <= place.offset < end:
        for message in read_range(bootstrap, topic, {place.partition: (place.offset, place.offset + 1)}):
            return letter_of(message)
    raise LookupError(f"there is no dead letter {place}: it was never written, or topics.retention is over")
