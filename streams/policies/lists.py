"""Deny, allow and watch lists, and snoozes: which events have a value on one, by the pipeline's clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from streams.policies.actions import Mask

Entries = dict[object, int]
"""Value -> until when it stands (us)."""

FOREVER = 2**63 - 1


class Membership:
    """Named sets of values of event fields, with expiry.

    A batch in which no value of a field stands anywhere costs one look at each of its values, in C.
    """

    def __init__(self, named: Mapping[str, tuple[str, Entries]]) -> None:
        """``named``: name -> (field, entries)."""
        self._by_field: dict[str, dict[str, Entries]] = {}
        for name, (field, entries) in named.items():
            if entries:
                self._by_field.setdefault(field, {})[name] = entries
        self._known = {field: frozenset().union(*sets.values()) for field, sets in self._by_field.items()}

    def matches(self, seen: pa.RecordBatch, now: int) -> dict[str, Mask]:
        """Name -> the events on it, of those names that any event is on at ``now`` (us)."""
        found = {}
        for field, sets in self._by_field.items():
            values = seen.column(field).to_pylist()
            if self._known[field].isdisjoint(values):
                continue
            for name, entries in sets.items():
                mask = _standing(values, entries, now)
                if mask.any():
                    found[name] = mask
        return found


def _standing(values: Sequence[object], entries: Entries, now: int) -> Mask:
    return np.array([entries.get(value, now) > now for value in values], np.bool_)
