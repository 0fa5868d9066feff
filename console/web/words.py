"""How instants, numbers and shares are written on pages: filters of the templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from feature_store.units import to_text

if TYPE_CHECKING:
    from collections.abc import Callable

_NOTHING = "\N{EN DASH}"
_THOUSAND = 1_000


def instant(at: int | str | None) -> str:
    """An instant (us since 1970, or RFC 3339) to the second: ``2026-03-01 14:05:09``, UTC."""
    if at is None:
        return _NOTHING
    text = at if isinstance(at, str) else to_text(at)
    return text[:19].replace("T", " ")


def number(value: float | None, digits: int = 0) -> str:
    """A number with thousands apart: ``12,345``."""
    return _NOTHING if value is None else f"{value:,.{digits}f}"


def share(value: float | None, digits: int = 1) -> str:
    """A share as a percentage: ``0.123`` is ``12.3 %``."""
    return _NOTHING if value is None else f"{value * 100:.{digits}f} %"


def milliseconds(value: float | None) -> str:
    """A duration in ms, in seconds from one on: ``12 ms``, ``1.50 s``."""
    if value is None:
        return _NOTHING
    return f"{value / _THOUSAND:.2f} s" if value >= _THOUSAND else f"{value:.0f} ms"


FILTERS: dict[str, Callable[..., Any]] = {
    "instant": instant,
    "number": number,
    "share": share,
    "milliseconds": milliseconds,
}
