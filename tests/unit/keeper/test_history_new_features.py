"""New features go into the rows that lack them, and are told from those of another meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from feature_store.errors import ContractError
from tests.unit.keeper.past import (
    add_live,
    hashes,
    write_folder,
)
from tests.unit.keeper.test_routing import rows_of
from tests.unit.keeper.written import START
from training.keeper.history import History
from training.keeper.history_import import import_history
from training.keeper.store import STORE, open_keeper_store

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duck import Connection


def grown(pipeline: Pipeline, sql: str = "amount * 2") -> Pipeline:
    features = pipeline.features.model_copy(update={"rows": {"amount_eur": "amount", "twice": sql}})
    return pipeline.model_copy(update={"features": features})


def new_feature(folder: Path, pipeline: Pipeline, events: list[str], value: float = 7.0) -> Path:
    table = pa.table({"event_id": events, "twice": pa.array([value] * len(events), pa.float64())})
    said = History(pipeline.name, hashes(pipeline), START, START, len(events), only_new=["twice"])
    return write_folder(folder, said, scored=table)


def live_before_and_after(tmp_path: Path, pipeline: Pipeline) -> Connection:
    """A store with a message from before the feature ``twice`` was declared, and one from after."""
    store = open_keeper_store(tmp_path / STORE, pipeline)
    add_live(store, pipeline, 0, 3)
    store.close()
    store = open_keeper_store(tmp_path / STORE, grown(pipeline))
    add_live(store, grown(pipeline), 3, 3, twice=5.0)
    return store


def carried(store: Connection) -> list[tuple[int, float | None, bool]]:
    """Offset, value, and whether the row counts as computed under today's definition of ``twice``."""
    today = "definitions IN (SELECT digest FROM definitions WHERE name = 'twice') AS known"
    query = f"SELECT source_offset, twice, {today} FROM placed_rows ORDER BY source_offset"  # noqa: S608
    found = rows_of(store, query)
    return [(row["source_offset"], row["twice"], row["known"]) for row in found]


def test_a_new_feature_goes_into_the_rows_that_lack_it(pipeline: Pipeline, tmp_path: Path) -> None:
    store = live_before_and_after(tmp_path, pipeline)
    everything = [f"e0-{offset}" for offset in range(6)]
    folder = new_feature(tmp_path / "history", grown(pipeline), everything)
    assert import_history(store, grown(pipeline), tmp_path, folder)["rows"] == 6
    assert carried(store) == [(0, 7.0, True), (1, 7.0, True), (2, 7.0, True),
                              (3, 5.0, True), (4, 5.0, True), (5, 5.0, True)]  # fmt: skip
    assert rows_of(store, "SELECT count(DISTINCT definitions) AS n FROM placed_rows") == [{"n": 1}]
    with pytest.raises(ContractError, match="was imported before"):
        import_history(store, grown(pipeline), tmp_path, folder)
    other = new_feature(tmp_path / "other", grown(pipeline), everything, 8.0)
    with pytest.raises(ContractError, match="'twice' is not new: every stored row has it"):
        import_history(store, grown(pipeline), tmp_path, other)
    store.close()


def test_a_message_counts_as_computed_anew_once_all_its_rows_are(pipeline: Pipeline, tmp_path: Path) -> None:
    store = live_before_and_after(tmp_path, pipeline)
    part = new_feature(tmp_path / "part", grown(pipeline), ["e0-0", "e0-1", "stranger"])
    assert import_history(store, grown(pipeline), tmp_path, part)["rows"] == 2
    assert carried(store)[:3] == [(0, 7.0, False), (1, 7.0, False), (2, None, False)]
    store.close()


@pytest.mark.parametrize(
    ("events", "sql", "finding"),
    [
        (["stranger"], "amount * 2", "none of its events is in the store"),
        (["e0-0", "e0-0"], "amount * 2", "has events twice"),
        (["e0-0"], "amount * 3", "does not know 'twice' by this definition"),
    ],
)
def test_new_features_that_do_not_fit_are_refused(
    pipeline: Pipeline, tmp_path: Path, events: list[str], sql: str, finding: str
) -> None:
    store = live_before_and_after(tmp_path, pipeline)
    folder = new_feature(tmp_path / "history", grown(pipeline, sql), events)
    with pytest.raises(ContractError, match=finding):
        import_history(store, grown(pipeline), tmp_path, folder)
    assert carried(store)[0][1] is None
    store.close()


def test_a_feature_of_another_meaning_is_not_new(pipeline: Pipeline, tmp_path: Path) -> None:
    live_before_and_after(tmp_path, pipeline).close()
    other = grown(pipeline, "amount * 3")
    store = open_keeper_store(tmp_path / STORE, other)
    with pytest.raises(ContractError, match="by another definition; give it another name"):
        import_history(store, other, tmp_path, new_feature(tmp_path / "history", other, ["e0-0"]))
    store.close()


def test_a_feature_from_before_definitions_were_kept_is_not_new(pipeline: Pipeline, tmp_path: Path) -> None:
    store = live_before_and_after(tmp_path, pipeline)
    store.execute("UPDATE batches SET definitions = NULL")
    with pytest.raises(ContractError, match="from before definitions were kept"):
        import_history(
            store, grown(pipeline), tmp_path, new_feature(tmp_path / "history", grown(pipeline), ["e0-0"])
        )
    store.close()
