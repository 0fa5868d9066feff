"""A raw aggregate of a whole frame from those of its stretch and its tail."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from feature_store.offline.plan import Of, Raw
from feature_store.offline.sql import listed

if TYPE_CHECKING:
    from collections.abc import Mapping


def combined(raw: Raw, stretch: Mapping[Raw, str], tail: Mapping[Raw, str]) -> str:
    """The SQL of a raw aggregate; one that has no tail is that of its stretch."""
    whole = stretch[raw]
    if raw not in tail:
        return whole
    rest = tail[raw]
    if raw.of in {Of.COUNT, Of.DISTINCT, Of.LET_THROUGH}:
        return f"{whole} + coalesce({rest}, 0)"
    if raw.of is Of.SUM:
        return f"coalesce({whole} + {rest}, {whole}, {rest})"
    if raw.of is Of.MIN:
        return f"least({whole}, {rest})"
    if raw.of in {Of.MAX, Of.NEWEST}:
        return f"greatest({whole}, {rest})"
    if raw.of is Of.LAST:
        older = listed(stretch[replace(raw, position=k)] for k in range(1, raw.position + 1))
        return f"list_concat(coalesce({rest}, []), [{older}])[{raw.position}]"
    if raw.of is Of.STD:
        return _deviation(raw, stretch, tail)
    return whole


def _deviation(raw: Raw, stretch: Mapping[Raw, str], tail: Mapping[Raw, str]) -> str:
    """From counts, means and deviations of two parts (Chan, Golub and LeVeque)."""
    parts = [[side[replace(raw, of=of)] for of in (Of.COUNT, Of.AVERAGE, Of.STD)] for side in (stretch, tail)]
    (n1, mean1, std1), (n2, mean2, std2) = parts
    squares = (
        f"coalesce({std1} * {std1} * ({n1} - 1), 0) + coalesce({std2} * {std2} * ({n2} - 1), 0) "
        f"+ ({mean1} - {mean2}) * ({mean1} - {mean2}) * {n1} * {n2} / ({n1} + {n2})"
    )
    return (
        f"case when coalesce({n2}, 0) = 0 then {std1} when {n1} = 0 then {std2} "
        f"else sqrt(({squares}) / ({n1} + {n2} - 1)) end"
    )
