"""How the keeper's store is opened."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from training.keeper.store import STORE, open_keeper_store

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline


def test_it_takes_as_much_memory_as_declared_on_every_connection(tmp_path: Path, pipeline: Pipeline) -> None:
    training = pipeline.training.model_copy(update={"store_memory_mb": 512})
    declared = pipeline.model_copy(update={"training": training})
    with closing(open_keeper_store(tmp_path / STORE, declared)) as store, closing(store.cursor()) as cursor:
        for connection in (store, cursor):
            limit = connection.execute("SELECT current_setting('memory_limit')").fetchone()
            assert limit == ("512.0 MiB",)
