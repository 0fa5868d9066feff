"""What is stored about a person goes, all of it and nothing else."""

from __future__ import annotations

import re
from contextlib import closing
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from feature_store.declaration.load import load_pipeline
from feature_store.errors import ContractError
from streams.messages.policy import EntityList, ListEntry, PolicyRule, Snooze
from streams.policies import default_document
from tests.unit.keeper.conftest import PIPELINE
from tests.unit.keeper.sink.conftest import new_sink
from tests.unit.keeper.sink.sinking import ask, catch_up, outcome
from tests.unit.keeper.written import MINUTE, START, event_id, until, write_batches, write_outcomes
from training.keeper.audit import Audit
from training.keeper.forget import forget
from training.keeper.forget.policies import blank, naming
from training.keeper.forget.rewriting import rewrite_where_due
from training.keeper.forget.value import value_of
from training.keeper.queries import sql
from training.keeper.sender import DeltaSender
from training.keeper.store import STORE, open_keeper_store

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from tests.unit.keeper.sink.sinking import NewSink
    from training.keeper.forget import Forgotten
    from training.keeper.parts import Parts
    from training.keeper.sink import Sink

__all__ = ["new_sink"]

WHO = "c3"
"""The events at the offsets 3, 10, 17 and 24 of both partitions are of this card."""
THEIRS = [event_id(partition, offset) for partition in (0, 1) for offset in (3, 10, 17, 24)]
EVERYWHERE = (
    "scored",
    "decisions",
    "outcomes",
    "outbox",
    "deltas",
    "outcomes_refused",
    "waiting",
    "late_events",
)


@pytest.fixture
def config(tmp_path: Path, unique: str) -> Path:
    counting = PIPELINE.replace("count: true", "count: true, frauds: true")
    path = tmp_path / "pipeline.yaml"
    path.write_text(counting.format(name=unique), encoding="utf-8")
    return path


@pytest.fixture
def kept(new_sink: NewSink, pipeline: Pipeline, bootstrap: str) -> tuple[Sink, Parts]:
    """A keeper that knows 60 events of seven cards, and three frauds, two of them of one card."""
    write_batches(pipeline, bootstrap, 0, batches=3, size=10)
    words = [
        outcome(THEIRS[0]),
        outcome(THEIRS[5]),
        outcome(event_id(0, 4)),
        b'{"event_id": "e0-10"}',
        b"other",
    ]
    write_outcomes(pipeline, bootstrap, words, START + 50 * MINUTE)
    sink, parts = new_sink()
    catch_up(sink, parts)
    parts.store.execute(
        "INSERT INTO late_events (source_partition, source_offset, policy_offset, definitions) "
        "VALUES (0, 3, -1, ''), (0, 4, -1, '')"
    )
    parts.store.execute(sql("create_policies"))
    Audit(parts.store, parts.clock)
    return sink, parts


def sent(parts: Parts) -> None:
    sender = DeltaSender(parts)
    until(lambda: ask(parts, "SELECT sent FROM routing") == [(3,)], sender.step)
    sender.close()


def forgotten(parts: Parts, *, dry: bool = False) -> Forgotten:
    return forget(parts, default_document(parts.pipeline), "running", "card", WHO, dry=dry)


def counts(parts: Parts) -> dict[str, int]:
    return {table: ask(parts, f"SELECT count(*) FROM {table}")[0][0] for table in EVERYWHERE}  # noqa: S608


def test_every_row_about_them_goes_and_no_other(kept: tuple[Sink, Parts]) -> None:
    parts = kept[1]
    sent(parts)
    before = counts(parts)
    assert (before["scored"], before["outcomes"], before["outbox"], before["outcomes_refused"]) == (
        60,
        3,
        3,
        2,
    )
    for run in ("killed", "running"):
        (parts.run_folder(run) / "snapshot").mkdir(parents=True)
    tried = forgotten(parts, dry=True)
    assert counts(parts) == before
    assert (parts.run_folder("killed") / "snapshot").exists()
    done = forgotten(parts)
    assert done.rows == tried.rows == {
        "scored": 8, "decisions": 8, "outcomes": 2, "outbox": 2, "outcomes_refused": 1, "late_events": 1,
    }  # fmt: skip
    assert (done.events, done.deltas_to_send, done.policy) == (8, 0, [])
    assert counts(parts) == {table: count - done.rows.get(table, 0) for table, count in before.items()}
    assert ask(parts, "SELECT count(*) FROM scored WHERE card = 'c3'") == [(0,)]
    assert ask(parts, "SELECT event_id FROM outcomes") == [("e0-4",)]
    assert ask(parts, "SELECT sum(row_count) FROM batches") == [(52,)]
    assert ask(parts, "SELECT count(*) FROM placed_rows WHERE log_offset IS NULL") == [(0,)]
    assert not (parts.run_folder("killed") / "snapshot").exists()
    assert (parts.run_folder("running") / "snapshot").exists()


def test_what_scorers_have_not_heard_of_waits_and_no_number_is_given_twice(
    kept: tuple[Sink, Parts], pipeline: Pipeline, bootstrap: str
) -> None:
    sink, parts = kept
    early = forgotten(parts)
    assert (early.deltas_to_send, early.rows.get("outbox")) == (2, None)
    sent(parts)
    parts.store.execute("DELETE FROM outcomes WHERE event_id = 'e0-4'")
    again = forgotten(parts)
    assert again.deltas_to_send == 0
    parts.store.execute("DELETE FROM outbox")  # as if all of them had been theirs
    write_outcomes(pipeline, bootstrap, [outcome(event_id(0, 5))], START + 51 * MINUTE)
    catch_up(sink, parts)
    assert ask(parts, "SELECT route_seq, event_id FROM outbox") == [(4, "e0-5")]


def test_an_id_that_another_person_uses_keeps_its_outcome(kept: tuple[Sink, Parts]) -> None:
    parts = kept[1]
    parts.store.execute("UPDATE scored SET event_id = 'e0-3' WHERE event_id = 'e1-5'")
    done = forgotten(parts)
    assert done.rows["outcomes"] == 1
    assert ("e0-3",) in ask(parts, "SELECT event_id FROM outcomes")


def test_the_audit_trail_knows_that_it_was_done_and_not_for_whom(kept: tuple[Sink, Parts]) -> None:
    parts = kept[1]
    audit = Audit(parts.store, parts.clock)
    first = forgotten(parts)
    assert first.forgotten_before is None
    assert re.fullmatch(r"[0-9a-f]{64}", first.digest)
    audit.note("ann", "command", "command", "forget", "card", None, {"digest": first.digest})
    audit.note(
        "ann", "operator", "console", "policy", "version 3", {"version": 2}, {"has": ["deny card c3", "c33"]}
    )
    again = forgotten(parts)
    assert (again.digest, again.events, again.rows) == (first.digest, 0, {})
    assert again.forgotten_before is not None
    assert again.audit_lines == 1
    assert audit.newest(1)[0].after == {"has": ["deny card forgotten", "c33"]}
    assert forgotten(parts).audit_lines == 0
    other = forget(parts, default_document(parts.pipeline), None, "card", "c4")
    assert other.digest != first.digest
    assert other.forgotten_before is None


def test_old_policies_are_blanked_and_the_one_in_force_is_named(pipeline: Pipeline, tmp_path: Path) -> None:
    lists = [
        EntityList("stolen", "deny", "card", [ListEntry(WHO, note="of Ann"), ListEntry("c4", note="kept")])
    ]
    snoozes = [Snooze("card", WHO, "2027-01-01", "x")]
    rules = [
        PolicyRule("hers", "card = 'c3' AND amount > 3", "review"),
        PolicyRule("c33", "card = 'c33'", "review"),
    ]
    old = msgspec.structs.replace(
        default_document(pipeline), version=1, lists=lists, snoozes=snoozes, rules=rules
    )
    in_force = msgspec.structs.replace(old, version=2, snoozes=[])
    assert naming(in_force, "card", WHO) == ["list stolen", "rule hers"]
    assert naming(old, "card", WHO) == ["list stolen", "a snooze", "rule hers"]
    assert naming(old, "number", 3) == ["rule hers"]
    with closing(open_keeper_store(tmp_path / STORE, pipeline)) as store:
        store.execute(sql("create_policies"))
        for number, document in enumerate((old, in_force)):
            text = msgspec.json.encode(document).decode()
            row: dict[str, Any] = {
                "version": number + 1,
                "offset": number,
                "made_at": "",
                "made_by": "",
                "why": "",
            }
            store.execute(sql("add_policy"), row | {"document": text})
        assert blank(store, "card", WHO, in_force=2) == 1
        kept_texts = [
            text for (text,) in store.execute("SELECT document FROM policies ORDER BY version").fetchall()
        ]
    assert [f"'{WHO}'" in text or f'"{WHO}"' in text for text in kept_texts] == [False, True]
    assert ["card = 'forgotten' AND amount > 3" in text for text in kept_texts] == [True, False]
    assert ["c4" in text and "kept" in text for text in kept_texts] == [True, True]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [("amount", "1.00", "'amount' names nobody"), ("nobody", "x", "names nobody"), ("card", "", "say which")],
)
def test_who_is_meant_must_be_clear(pipeline: Pipeline, field: str, value: str, said: str) -> None:
    with pytest.raises(ContractError, match=said):
        value_of(pipeline, field, value)
    assert value_of(pipeline, "card", "c=3") == "c=3"


def test_the_next_start_leaves_no_byte_of_it_in_the_file(
    new_sink: NewSink, config: Path, bootstrap: str, tmp_path: Path
) -> None:
    pipeline = load_pipeline(config)
    write_batches(pipeline, bootstrap, 0, batches=3, size=10)
    sink, parts = new_sink(pipeline)
    Audit(parts.store, parts.clock)
    parts.store.execute(sql("create_policies"))
    catch_up(sink, parts)
    name = "a-name-that-is-long-enough-to-be-found-and-is-nowhere-else"
    parts.store.execute("UPDATE scored SET holder = $name WHERE card = 'c3'", {"name": name})
    parts.store.execute("CHECKPOINT")
    path = tmp_path / STORE
    assert name.encode() in path.read_bytes()
    assert not rewrite_where_due(tmp_path / "nothing.duckdb")
    forgotten(parts)
    before = counts(parts)
    parts.store.close()
    assert rewrite_where_due(path)
    assert name.encode() not in path.read_bytes()
    assert not rewrite_where_due(path)
    assert [file.name for file in tmp_path.glob("*keeper.duckdb*")] == [STORE]
    sink, parts = new_sink(pipeline)
    assert counts(parts) == before
    write_batches(pipeline, bootstrap, 30, batches=1, size=10)
    catch_up(sink, parts)
    assert ask(parts, "SELECT count(*) FROM scored") == [(52 + 20,)]
