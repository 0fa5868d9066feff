"""The model card of one training run: a single HTML file that needs nothing from anywhere."""

from __future__ import annotations

from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import numpy as np

from feature_store.whole_file import write_atomically
from training.card import tables, words
from training.card.curves import curves, inside
from training.card.html import items
from training.contract import CARD
from training.evaluation.measure import measure
from training.evaluation.segments import deciles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.card.material import Material

_TEMPLATE = Template(Path(__file__).with_name("card.html").read_text(encoding="utf-8"))
_RESAMPLES = 200
_OF_SEGMENTS = 100
"""Their intervals only tell a reader which of them say anything."""
_MOST_VALUES = 4
_MOST_SEGMENTED = 8


def leave_card(folder: Path, material: Material) -> None:
    """Draw the card and write ``card.html`` into the run folder."""
    write_atomically(folder / CARD, draw(material).encode())


def draw(material: Material) -> str:
    """The page."""
    decision, seed = material.pipeline.decision, material.pipeline.training.seed
    capacity = decision.review_capacity
    ours = measure(
        material.ours,
        decision.costs,
        capacity,
        _segments(material),
        seed=seed,
        resamples=_RESAMPLES,
        of_segments=_OF_SEGMENTS,
    )
    theirs = None
    if (scored := material.theirs) is not None:
        theirs = measure(scored, decision.costs, capacity, seed=seed, resamples=_RESAMPLES)
    return _TEMPLATE.substitute(
        title=escape(words.title(material.manifest.version)),
        subtitle=escape(words.subtitle(material)),
        verdict=escape(material.result.verdict),
        reasons=items(material.result.reasons),
        figures=tables.tiles(ours, theirs),
        purpose=words.purpose(material),
        measures=tables.measures(material, ours, theirs),
        curves=curves(material, ours, theirs),
        inside=inside(material),
        segments=tables.segments(ours),
        checks=tables.checks(material),
        compaction=tables.compaction(material),
        limits=words.limits(material, ours),
        lineage=words.lineage(material),
    )


def _segments(material: Material) -> dict[str, NDArray[np.object_]]:
    """Amounts by tenths, and features that have few values."""
    amount, shown = material.ours.amount, material.shown
    found: dict[str, NDArray[np.object_]] = {}
    if not np.isnan(amount).all():
        found[material.pipeline.decision.costs.amount or "amount"] = deciles(amount)
    for at, feature in enumerate(material.pipeline.feature_vector):
        if len(found) >= _MOST_SEGMENTED:
            break
        column = material.split.judged.features[:, at][shown]
        values = np.unique(column)
        values = values[~np.isnan(values)]
        if 1 < len(values) <= _MOST_VALUES:
            found[feature.name] = np.array(
                [None if np.isnan(x) else f"{x:g}" for x in column.tolist()], dtype=object
            )
    return found
