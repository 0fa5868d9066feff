"""The declared features as tables, one per entity."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from console.page import page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feature_store.declaration.words import Explained


def as_dict(feature: Explained) -> dict[str, Any]:
    """For programs."""
    return {
        "name": feature.name,
        "kind": feature.kind,
        "dtype": feature.dtype,
        "hash": feature.hash,
        "entity": list(feature.entity),
        "state": feature.state,
        "words": feature.words,
    }


def print_features(features: Sequence[Explained]) -> None:
    """A table per entity, in declared order; first what comes from the event alone."""
    console = page()
    groups: dict[tuple[str, ...], list[Explained]] = {}
    for entity, members in groupby(features, key=lambda each: each.entity):
        groups.setdefault(entity, []).extend(members)
    for entity, members_of in groups.items():
        console.print(_table(entity, members_of))


def _table(entity: tuple[str, ...], features: list[Explained]) -> Table:
    title = "the event itself" if not entity else f"{' + '.join(entity)}: state {features[0].state}"
    table = Table(title=title, title_justify="left", title_style="bold", show_lines=False)
    table.add_column("feature, hash", overflow="fold", ratio=2)
    table.add_column("kind", no_wrap=True)
    table.add_column("in words", ratio=3)
    for each in features:
        # As text: square brackets in SQL are not markup.
        named = Text.assemble(each.name, "\n", (each.hash, "dim"))
        table.add_row(named, Text(each.kind), Text(each.words))
    return table
