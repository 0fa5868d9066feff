"""The checker finds what it is there for, and imports nothing of the product."""

from __future__ import annotations

import ast
import importlib
import json
import sys
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from tests.chaos import checker, counts, crashing, declared, fates, features, hops, outcomes, reading, sunk
from tests.chaos.checker import Checker
from tests.chaos.counts import Counts
from tests.chaos.declared import PLAIN, STAGED, Declared
from tests.chaos.faults import FAULTS, NOTHING, faults_of
from tests.chaos.reading import Reading, Record
from tests.chaos.shapes import SHAPES
from tests.chaos.table import Round, Table

ALLOWED = {"__future__", "aiokafka", "duckdb", "pyarrow"}
PREFIXES = ("customer_id", "customer_id_card_id", "customer_id_terminal_id", "customer_id_country")
BEGIN = datetime(2026, 1, 5)  # noqa: DTZ001  (as the log's instants are)


def event(number: int) -> dict[str, Any]:
    return {"event_id": f"e{number}", "customer_id": "c1", "channel": "chip"}


def source(number: int, **changes: Any) -> Record:
    value = json.dumps(event(number) | changes).encode()
    return Record("events", 0, number, b"c1", value, ())


def row(number: int, **changes: Any) -> dict[str, Any]:
    """A logged row; three of the same customer, a minute apart."""
    before = [*range(number)]
    hours = {"1h": before, "24h": before, "7d": before}
    found: dict[str, Any] = {
        **event(number),
        "event_time": BEGIN + timedelta(minutes=number),
        "card_id": "k1",
        "terminal_id": "t1",
        "merchant_category": "groceries",
        "amount": Decimal("10.00"),
        "country": "DE",
        "home_country": "DE",
        "device_id": None,
        "seq": 10 + number,
        "decided_seq": 10 + number,
        "source_offset": number,
        "late": False,
        "score": 0.25,
        "action": "approve",
    }
    found |= {name: meaning(found) for name, meaning in features._ROWS.items()}
    for window, inside in hours.items():
        for prefix in (
            "customer_id",
            "customer_id_card_id",
            "customer_id_terminal_id",
            "customer_id_country",
        ):
            found[f"{prefix}_count_{window}"] = float(len(inside))
            found[f"{prefix}_sum_amount_{window}"] = 10.0 * len(inside)
        found[f"customer_id_mean_amount_{window}"] = 10.0 if inside else None
    found |= {"customer_id_device_id_count_7d": None, "customer_id_frauds_7d": 0.0}
    return found | {"customer_id_fraud_rate_7d": 0.0 if before else None} | changes


def log(rows: list[dict[str, Any]], topic: str = "features", **changes: Any) -> Record:
    offsets = [each["source_offset"] for each in rows]
    meta: dict[str, Any] = {
        "first_offset": min(offsets, default=0),
        "next_offset": max(offsets, default=-1) + 1,
        "duplicates": [],
        "dead_letters": [],
        "release_epoch": 1,
        "policy_offset": 0,
        "outcomes_offset": 0,
        "route_seq": 0,
    } | changes
    table = pa.Table.from_pylist(rows).replace_schema_metadata({b"sluicegate": json.dumps(meta).encode()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return Record(topic, 0, meta["first_offset"], None, bytes(sink.getvalue()), ())


def decision(number: int, **changes: Any) -> Record:
    place = {"topic": "events", "partition": 0, "offset": number}
    told = {
        "event_id": f"e{number}",
        "release": 1,
        "score": 0.25,
        "action": "approve",
        "source": place,
    } | changes
    return Record("decisions", 0, number, b"c1", json.dumps(told).encode(), ())


def letter(number: int, value: bytes | None) -> Record:
    headers = (("source_partition", b"0"), ("source_offset", str(number).encode()))
    return Record("dead_letters", 0, number, b"c1", value, headers)


def checked(*records: Record, pipeline: Declared = PLAIN) -> Checker:
    made = Checker(Reading("nowhere", {}, 0), pipeline)
    for record in records:
        made.feed(record)
    made.close()
    return made


SOUND = [source(0), source(1), source(2), log([row(0), row(1)]), log([row(2)])]
DECIDED = [decision(0), decision(1), decision(2)]


def test_a_sound_account_has_no_findings_in_whatever_order_topics_are_read() -> None:
    for made in (checked(*SOUND, *DECIDED), checked(*DECIDED, *SOUND[3:], *SOUND[:3])):
        assert made.counts.findings == []
        assert (made.counts.events, made.counts.decided) == (3, 3)
        assert made.features.compared > 60


def test_duplicates_and_dead_letters_are_fates_too() -> None:
    again = source(1, event_id="e0")
    other = source(2, event_id="e0", channel="online")
    broken = Record("events", 0, 3, b"c1", b"[]", ((fates.POISON, b"1"),))
    torn = Record("events", 0, 4, b"c1", b'{"event_id": ', ())
    logged = log([row(0)], next_offset=5, duplicates=[1], dead_letters=[2, 3, 4])
    letters = [letter(each.offset, each.value) for each in (other, broken, torn)]
    made = checked(source(0), again, other, broken, torn, logged, decision(0), *letters)
    assert made.counts.findings == []
    assert (made.counts.decided, made.counts.dead, made.counts.duplicates) == (1, 3, 1)


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("beside", [decision(1), decision(2), letter(0, b"")])
def test_what_a_log_says_otherwise_is_found_while_reading(beside: Record, *, early: bool) -> None:
    """A decision of a duplicate or of a dead letter, a dead letter of what was decided."""
    made = Checker(Reading("nowhere", {}, 0), PLAIN)
    broken = source(2, event_id="e0", channel="online")
    sources = [source(0), source(1, event_id="e0"), broken]
    logged = log([row(0)], next_offset=3, duplicates=[1], dead_letters=[2])
    told = [decision(0), letter(2, broken.value)]
    for record in [*sources, *([beside] if early else []), logged, *told, *([] if early else [beside])]:
        made.feed(record)
    assert made.counts.doubled == 1


def test_nothing_rests_while_a_decision_has_no_log() -> None:
    account = fates.Fates(Counts())
    assert account.settled()
    account.decision(decision(7))
    assert not account.settled()
    assert "1 told that no log has" in account.unsettled()


@pytest.mark.parametrize(
    ("kind", "records"),
    [
        ("lost", [*SOUND[:4], *DECIDED[:2]]),
        ("lost", [*SOUND, *DECIDED[:2]]),
        ("doubled", [*SOUND, *DECIDED, decision(1)]),
        ("doubled", [*SOUND, *DECIDED, letter(1, b"")]),
        ("doubled", [*SOUND, log([row(2, seq=20)], first_offset=3), *DECIDED]),
        ("wrong", [*SOUND[:4], log([row(2)], first_offset=1), *DECIDED]),
        ("wrong", [*SOUND[:4], log([row(2)], release_epoch=0), *DECIDED]),
        ("wrong", [*SOUND[:4], log([row(2, seq=10)]), *DECIDED]),
        ("wrong", [*SOUND[:4], log([row(2, customer_id_sum_amount_24h=20.01)]), *DECIDED]),
        ("wrong", [*SOUND[:4], log([row(2, customer_id_mean_amount_1h=None)]), *DECIDED]),
        ("wrong", [*SOUND, decision(1), decision(0), decision(2)]),
        ("wrong", [*SOUND, *DECIDED[:2], decision(2, score=0.5)]),
        ("wrong", [*SOUND, *DECIDED[:2], decision(2, release=2)]),
        ("wrong", [*SOUND, *DECIDED[:2], decision(2, action="decline")]),
        ("wrong", [*SOUND[:4], log([], first_offset=2, next_offset=3, duplicates=[2]), *DECIDED[:2]]),
    ],
)
def test_what_is_not_sound_is_found(kind: str, records: list[Record]) -> None:
    assert getattr(checked(*records).counts, kind) > 0


def entrance(number: int, **changes: Any) -> dict[str, Any]:
    """A row of the first stage's log."""
    decided = ("score", "action", "decided_seq")
    return {name: value for name, value in row(number).items() if name not in decided} | changes


def between(number: int, **changes: Any) -> Record:
    """What the first stage has passed on; between two transactions an offset is left out."""
    return source(number, **changes)._replace(topic="between", offset=2 * number, key=b"t1")


def last(number: int, **changes: Any) -> dict[str, Any]:
    """A row of the last stage's log."""
    found = row(number) | {"source_offset": 2 * number, "seq_0": 10 + number, "seq": 50 + number}
    found |= {"decided_seq": 50 + number, "origin_partition": 0, "origin_offset": number}
    for window in ("24h", "7d"):
        found |= {f"terminal_id_count_{window}": float(number)}
        found |= {f"terminal_id_sum_amount_{window}": 10.0 * number}
    found |= {"terminal_id_country_count_1h": float(number), "terminal_id_frauds_7d": 0.0}
    return found | {"terminal_id_fraud_rate_7d": 0.0 if number else None} | changes


def staged_decision(number: int, **changes: Any) -> Record:
    origin = {"topic": "events", "partition": 0, "offset": number}
    place = {"topic": "between", "partition": 0, "offset": 2 * number}
    return decision(number, **({"source": place, "origin": origin} | changes))


EVENTS = [source(0), source(1)]
FIRST = log([entrance(0), entrance(1)], "stage_log")
PASSED = [between(0), between(1)]
LAST = log([last(0), last(1)])
STAGED_SOUND = [*EVENTS, FIRST, *PASSED, LAST, staged_decision(0), staged_decision(1)]


def test_a_sound_account_of_two_stages_has_no_findings_in_whatever_order_topics_are_read() -> None:
    for records in (STAGED_SOUND, [*STAGED_SOUND[5:], *STAGED_SOUND[2:5], *STAGED_SOUND[:2]]):
        made = checked(*records, pipeline=STAGED)
        assert made.counts.findings == []
        assert (made.counts.events, made.counts.decided) == (2, 2)
        assert made.features.compared > 60


@pytest.mark.parametrize(
    ("kind", "records"),
    [
        ("lost", [*EVENTS, FIRST, between(0), log([last(0)]), staged_decision(0)]),
        ("lost", [*EVENTS, FIRST, *PASSED, log([last(0)]), staged_decision(0)]),
        ("lost", STAGED_SOUND[:-1]),
        ("doubled", [*STAGED_SOUND, staged_decision(1)]),
        (
            "doubled",
            [*STAGED_SOUND, between(1)._replace(offset=4), log([last(1, source_offset=4)], first_offset=3)],
        ),
        ("wrong", [*EVENTS, FIRST, between(0), between(1, country="FR"), *STAGED_SOUND[5:]]),
        ("wrong", [*STAGED_SOUND[:5], log([last(0), last(1, seq_0=10)]), *STAGED_SOUND[6:]]),
        ("wrong", [*STAGED_SOUND[:5], log([last(0, origin_offset=1), last(1, origin_offset=0)])]),
        ("wrong", [*STAGED_SOUND[:-1], staged_decision(1, origin={"partition": 0, "offset": 0})]),
        ("wrong", [*STAGED_SOUND[:5], log([last(0), last(1, terminal_id_sum_amount_7d=9.0)])]),
        ("wrong", [*STAGED_SOUND[:5], log([last(0), last(1, customer_id_sum_amount_24h=9.0)])]),
    ],
)
def test_what_is_not_sound_in_two_stages_is_found(kind: str, records: list[Record]) -> None:
    assert getattr(checked(*records, pipeline=STAGED).counts, kind) > 0


def test_the_words_of_a_finding_reach_table_and_file(tmp_path: Path) -> None:
    found = Counts()
    found.tell("wrong", "of the first round")
    Round(1, "plain", "a fault", counts=found.taken(Counts()))
    before = Counts(wrong=found.wrong)
    found.tell("wrong", "of the second round")
    table = Table("7", rounds=[Round(2, "plain", "a fault", counts=found.taken(before))])
    table.write(tmp_path / "chaos.json")
    for text in (table.text(), (tmp_path / "chaos.json").read_text("utf-8")):
        assert "wrong: of the second round" in text
        assert "of the first round" not in text
    assert (table.rounds[0].counts.wrong, table.sound) == (1, False)


def test_a_crash_point_that_was_not_come_to_is_told() -> None:
    rounds = [Round(1, "plain", "killed at x", did="keeper: not reached"), Round(2, "plain", "killed at y")]
    text = Table("7", rounds=rounds).text()
    assert "in vain: killed at x (round 1, plain): keeper: not reached" in text
    assert "in vain: killed at y" not in text


def test_every_fault_is_drawn_for_a_system_that_can_have_it() -> None:
    of = {name: faults_of(shape) for name, shape in SHAPES.items()}
    assert {name for names in of.values() for name in names} == set(FAULTS)
    only_staged = of["staged"].keys() - of["plain"].keys()
    assert only_staged >= {
        "sink worker killed",
        "killed at scorer.forwarded.sent",
        "killed at sink.stretch.after",
    }
    assert NOTHING in of["plain"]


def delta(number: int, fraud: int = 1, event_id: str = "e1") -> dict[str, Any]:
    own = {"event_id": event_id, "route_seq": number, "fraud": fraud, "let_through": True, "seq": number}
    return own | {"event_time": BEGIN, "entity_customer_id": "c1"}


@pytest.mark.parametrize(
    ("kind", "routed", "applied"),
    [
        ("", [(1, 1)], [(1, 1)]),
        ("", [(1, 1), (1, 1)], [(1, 1)]),
        ("lost", [(1, 1)], []),
        ("lost", [], []),
        ("doubled", [(1, 1)], [(1, 1), (1, 1)]),
        ("wrong", [(1, 1), (1, -1)], [(1, 1)]),
        ("wrong", [], [(1, 1)]),
    ],
)
def test_outcomes_come_back_once(
    kind: str, routed: list[tuple[int, int]], applied: list[tuple[int, int]]
) -> None:
    counts = Counts()
    account = outcomes.Outcomes(counts)
    account.tell("e1", fraud=True)
    for number, fraud in routed:
        told = json.dumps({"route_seq": number, "event_id": "e1", "fraud": fraud}).encode()
        account.delta(Record("entity_outcomes", 0, number, None, told, ()))
    rows = [delta(number, fraud) for number, fraud in applied]
    account.log(fates.Logged(0, 0, {}, [], rows))
    account.close()
    assert counts.findings == [] if not kind else getattr(counts, kind) > 0


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("", "SELECT 1"),
        ("lost", "DELETE FROM scored WHERE source_offset = 1"),
        ("doubled", "INSERT INTO decisions FROM decisions WHERE source_offset = 0"),
        ("wrong", "UPDATE scored SET score = 0.5 WHERE source_offset = 1"),
    ],
)
def test_a_store_is_equal_to_the_topics(tmp_path: Path, kind: str, change: str) -> None:
    counts = Counts()
    account = sunk.Sunk(counts, PLAIN.stored)
    account.log(fates.Logged(0, 0, {}, [row(0), row(1)], []))
    rows = pa.Table.from_pylist([row(0) | {"source_partition": 0}, row(1) | {"source_partition": 0}])
    (tmp_path / "state").mkdir()
    with duckdb.connect(str(tmp_path / "state" / "keeper.duckdb")) as store:
        store.register("given", rows)
        store.execute("CREATE TABLE scored AS FROM given")
        store.execute("CREATE TABLE decisions AS SELECT source_partition, source_offset FROM given")
        store.execute(change)
    copy = sunk.copied(tmp_path / "state", None, tmp_path / "copy")
    account.compare(copy, 2)
    assert counts.findings == [] if not kind else getattr(counts, kind) > 0


def test_the_checker_shares_no_code_with_the_product() -> None:

    modules = (checker, counts, declared, fates, features, hops, outcomes, reading, sunk)
    own = {module.__name__ for module in modules}
    for module in modules:
        tree = ast.parse(Path(module.__file__ or "").read_text(encoding="utf-8"))
        named = {
            name
            for node in ast.walk(tree)
            for name in (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else []
            )
        }
        others = {name for name in named if name.split(".")[0] not in ALLOWED | sys.stdlib_module_names}
        assert others <= own, others


@pytest.mark.parametrize("name", crashing.POINTS)
def test_every_crash_point_is_a_call_of_the_product(name: str, monkeypatch: pytest.MonkeyPatch) -> None:

    point = crashing.POINTS[name]
    holder: Any = importlib.import_module(point.module)
    *outer, last = point.path.split(".")
    for each in outer:
        holder = getattr(holder, each)
    monkeypatch.setattr(holder, last, lambda *_: None)
    reached = []
    crashing.wrap(point, 2, lambda: reached.append(name))
    for _ in range(3):
        getattr(holder, last)(point.saying)
    assert reached == [name]
    assert f"killed at {name}" in FAULTS
