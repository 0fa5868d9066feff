"""What another version would have said about the same events: their features are in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from feature_store.duck import quoted, relations
from feature_store.log import feature_matrix
from training.keeper.queries import sql
from training.keeper.release.alarms import Alarm
from training.keeper.release.live import MOST, newest_decided
from training.keeper.release.matured import compared, frauds_of, labelled
from training.score_bins import shift

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from streams.models.assembly import ModelsTopic
    from training.keeper.parts import Parts
    from training.keeper.release.live import Acted

log = structlog.get_logger()

_ENOUGH = 5_000
"""Events that tell where scores lie."""


class SecondOpinion:
    """Scores stored events by a kept version."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._spec = parts.pipeline.training.release
        self._declared = parts.pipeline.feature_vector

    def shifted(self, models: ModelsTopic, version: str, acted: Acted) -> bool:
        """Whether the scores of ``version`` on the newest events are as far off from its own judged ones.

        False where that cannot be told: nobody knows better than the alarm then.
        """
        limit = self._spec.rollback.score_shift
        manifest = models.manifests.get(version)
        if limit is None or manifest is None or manifest.score_bins is None:
            return False
        with self._parts.store.cursor() as cursor:
            rows = newest_decided(cursor, self._parts.pipeline, acted, features=True).slice(0, _ENOUGH)
        scores = self._scores(models, version, rows)
        return scores is not None and shift(manifest.score_bins, scores) > limit

    def better(self, models: ModelsTopic, version: str, acted: Acted, now: int) -> Alarm | None:
        """An alarm where ``version`` ranks the matured events surely better than the one that acted on them.

        By more than ``training.release.rollback.precision_drop``; it was fitted before these events, as the
        other was.
        """
        drop = self._spec.rollback.precision_drop
        if drop is None:
            return None
        names = "".join(f", scored.{quoted(each.name)}" for each in self._declared)
        with self._parts.store.cursor() as cursor:
            events = labelled(cursor, self._parts.pipeline, now, acted.since)
            with relations(cursor, given=events):
                asked = {"version": acted.version, "epoch": acted.epoch, "most": MOST}
                rows = cursor.sql(sql("acted_on").format(features=names), params=asked).to_arrow_table()
        if frauds_of(rows) < self._spec.shadow.min_frauds:
            return None
        theirs = self._scores(models, version, rows)
        if theirs is None:
            return None
        training = self._parts.pipeline.training
        paired = compared(rows.append_column("theirs", [theirs]), training.seed, training.gate.confidence)
        if paired.difference >= -drop or not paired.surely_worse():
            return None
        said = (
            f"on {frauds_of(rows):,} matured frauds its average precision is {paired.ours:.3f}; {version} "
            f"has {paired.theirs:.3f} on the same events, and {drop:g} less is allowed"
        )
        return Alarm("precision", said)

    def _scores(self, models: ModelsTopic, version: str, rows: pa.Table) -> NDArray[np.float64] | None:
        """None where the version cannot be run here."""
        matrix = feature_matrix(rows, [each.name for each in self._declared])
        try:
            from streams.models.champion import load_champion  # noqa: PLC0415  (loads the model libraries)

            model = load_champion(
                models.manifest(version), models.artifact(version), self._declared, outside=True
            )
            return model.scores(model.margins(matrix))
        except Exception as error:  # noqa: BLE001  (a library may raise anything on a model it cannot run)
            log.warning("no_second_opinion", model=version, why=repr(error))
            return None
