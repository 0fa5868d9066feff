"""A rule may speak of the event, its features and its score, and of nothing else."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from feature_store.duck import sandbox
from feature_store.errors import ConfigError, PolicyError
from streams.messages import EntityList, ListEntry, PolicyRule, Snooze, Thresholds
from streams.policies import compile_policy, default_document
from streams.policies.conditions import FUNCTIONS, LONGEST, check_condition
from tests.support.payments import MONDAY, pipeline_of, private_pipeline, shipped_tree
from tests.support.policies import FixedModel, decide, document_of

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline


KEYWORDS = {"glob"}
"""Functions of files whose names are also words between two values; DuckDB refuses them as functions."""


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return private_pipeline(tmp_path, "unit")[1]


def refusal(declared: Pipeline, **changes: Any) -> str:
    with pytest.raises(PolicyError) as caught:
        compile_policy(declared, document_of(declared, **changes))
    return str(caught.value)


def refused_rule(pipeline: Pipeline, when: str) -> str:
    return refusal(pipeline, rules=[PolicyRule("sly", when, "decline")])


@pytest.mark.parametrize(
    ("when", "rows"),
    [
        ("amount >= 50", [1]),
        ("score > 0.9", [0]),
        ("margin < 0", [1]),
        ("score is null and margin is null", [2]),
        ("score > 0.9 or amount >= 50", [0, 1]),
        ("customer_id_count_1h > 3 and country = 'FR'", [1]),
        ("card_id in ('k0', 'it''s')", [0]),
        ("CARD_ID in ['k2'] and not (Amount > 50)", [2]),
        ("case when (channel = 'chip') then extract(hour from event_time) else 9 end = 0", [0, 1, 2]),
        ("event_time >= timestamp '2026-01-05 00:00:02'", [2]),
        ("regexp_matches(card_id, '^k[12]$') and contains(card_id, '1')", [1]),
        ("device_id = 'd1'", []),
        ("true", [0, 1, 2]),
        ("cast(card_id as integer) = 1", []),
    ],
)
def test_a_rule_speaks_of_fields_features_score_and_margin(
    pipeline: Pipeline, when: str, rows: list[int]
) -> None:
    policy = compile_policy(pipeline, document_of(pipeline, rules=[PolicyRule("found", when, "review")]))
    found = decide(
        pipeline,
        policy,
        [{"amount": 20}, {"amount": 75, "country": "FR"}, {"amount": 20}],
        FixedModel("m", [9.0, -9.0, math.nan]),
        customer_id_count_1h=[9.0, 9.0, 1.0],
    )
    assert [row for row, names in enumerate(found.rules) if "found" in names] == rows


@pytest.mark.parametrize(
    "when",
    [
        "(select count(*) from read_csv('{file}')) > 0",
        "amount > (from read_text('{file}'))",
        "exists (from '{file}')",
        "len(read_text('{file}')) > 0",
        "len(read_blob('{file}')) > 0",
        "len(glob('{folder}/*')) > 0",
        "true; attach '{folder}/x.db'",
        "attach '{folder}/x.db'",
        "true) from event; copy event to '{folder}/x.csv'; select (true",
        "copy event to '{folder}/x.csv'",
        "pragma_version() is null",
        "pragma version",
        "install httpfs",
        "load httpfs",
        "set threads = 4",
        "getenv('HOME') = 'x'",
        "\"getenv\"('HOME') = 'x'",
        "getvariable('x') is null",
        "current_setting('threads') = '1'",
        "version() = 'x'",
        "write_log('x') is null",
    ],
)
def test_a_rule_reaches_no_file_no_network_and_no_setting(
    pipeline: Pipeline, tmp_path: Path, when: str
) -> None:
    file = tmp_path / "secret.csv"
    file.write_text("5", encoding="utf-8")
    before = sorted(tmp_path.iterdir())
    assert "rules.sly: " in refused_rule(pipeline, when.format(file=file, folder=tmp_path))
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "when",
    [
        "random() < 0.5",
        '"random"() < 0.5',
        "uuid() is null",
        "now() > event_time",
        "current_timestamp > event_time",
        "localtimestamp > event_time",
        "age(event_time) > interval 1 day",
        "nextval('x') > 0",
        "card_id = $$'$$ or random() < 0.5 or card_id = $$'$$",
        r"card_id = e'\'' or random() < .5 or card_id = e'\''",
        "txid_current() > 0",
    ],
)
def test_a_rule_gives_the_same_answer_when_it_is_asked_again(pipeline: Pipeline, when: str) -> None:
    assert "rules.sly: " in refused_rule(pipeline, when)


@pytest.mark.parametrize(
    "when",
    [
        "len(range(100000000)) > 0",
        "len(repeat('x', 1000000000)) > 0",
        "'x'.repeat(1000000000) = 'a'",
        "repeat  ('x', 1000000000) = 'a'",
        "repeat/**/('x', 1000000000) = 'a'",
        "\"repeat\"('x', 1000000000) = 'a'",
        "len(rpad('x', 1000000000, 'x')) > 0",
        "len(replace(replace(card_id, 'k', 'kkkkkkkk'), 'k', 'kkkkkkkk')) > 0",
        "printf('%1000000000d', 1) = 'a'",
        "levenshtein(card_id, device_id) > 3",
        "len([x for x in [1, 2]]) > 0",
        "null::int[100000] is null",
        "len(list_transform([1], lambda x: x)) > 0",
    ],
)
def test_a_rule_cannot_hold_up_the_stream(pipeline: Pipeline, when: str) -> None:
    assert "rules.sly: " in refused_rule(pipeline, when)


@pytest.mark.parametrize(
    ("when", "reason"),
    [
        ("(select 1) = 1", "uses 'select'"),
        ("(from event) is not null", "scalar subquery"),
        ("amount in (from event)", "scalar subquery"),
        ("(table event) is null", "uses 'table'"),
        ("sum(amount) > 1", "sum is not a function that a rule may use"),
        ("row_number() over () > 1", "row_number is not a function"),
        ("amont > 5", "Did you mean 'amount'?"),
        ("zzzzzz > 5", "There are event_id, "),
        ("card_id", "gives text"),
        ("amount >", "syntax error"),
        ("card_id = 'a", "unterminated"),
        ("true -- x", "'--' has no place"),
        ("amount > ?", "'?' has no place"),
        ("  ", "empty"),
        ("true" + " " * LONGEST, f"at most {LONGEST}"),
        ("columns('amount') > 5", "columns is not a function"),
        ("true, true", ""),
    ],
)
def test_a_bad_rule_is_refused_with_its_name_and_the_reason(
    pipeline: Pipeline, when: str, reason: str
) -> None:
    told = refused_rule(pipeline, when)
    assert told.startswith("rules.sly: ")
    assert reason in told


def test_a_rule_that_is_nested_without_end_is_refused_too(pipeline: Pipeline) -> None:
    assert "nested too deeply" in refused_rule(pipeline, "not " * 990 + "true")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"rules": [PolicyRule("a", "true", "review")] * 2}, "rule 'a': 2 rules have this name"),
        ({"rules": [PolicyRule("a b", "true", "review")]}, "rule 'a b': a name has letters"),
        (
            {"rules": [PolicyRule("a", "true", cast("Any", "stop"))]},
            "rules.a: action 'stop'; expected one of approve, ",
        ),
        ({"lists": [EntityList("a", cast("Any", "block"), "card_id")]}, "list 'a': kind 'block'"),
        ({"lists": [EntityList("a", "deny", "card")]}, "there is no event field 'card'"),
        ({"lists": [EntityList("a", "deny", "amount", [ListEntry(5)])]}, "lists are of string or integer"),
        ({"lists": [EntityList("a", "deny", "card_id", [ListEntry(5)])]}, "write it in quotes"),
        ({"lists": [EntityList("a", "deny", "card_id", [ListEntry("k", "soon")])]}, "list 'a': 'k': until"),
        ({"lists": [EntityList("a", "deny", "card_id", [ListEntry("k", "2026-01-01")])]}, "no UTC offset"),
        ({"lists": [EntityList("a", "deny", "card_id")] * 2}, "list 'a': 2 lists have this name"),
        ({"snoozes": [Snooze("card_id", "k", "later")]}, "snooze of card_id 'k': until"),
        ({"snoozes": [Snooze("card", "k", "2026-01-01T00:00:00Z")]}, "there is no event field 'card'"),
        ({"thresholds": Thresholds(0.9, 0.5)}, "expected review <= decline"),
        ({"thresholds": Thresholds(None, 1.5)}, "thresholds.decline: 1.5 is not a probability"),
        ({"thresholds": Thresholds(math.nan)}, "thresholds.review: nan"),
        ({"review_margin": math.inf}, "review_margin: inf is not a finite number"),
        ({"pipeline": "other"}, "the policy is for the pipeline 'other', this is 'unit'"),
    ],
)
def test_a_document_that_does_not_fit_is_refused_with_the_reason(
    pipeline: Pipeline, changes: dict[str, Any], told: str
) -> None:
    assert told in refusal(pipeline, **changes)


def test_lists_of_whole_numbers_and_of_many_values(tmp_path: Path) -> None:
    _, pipeline = private_pipeline(tmp_path, "unit")
    many = [ListEntry(f"x{n}") for n in range(10_000)]
    lists = [EntityList("many", "deny", "card_id", [*many, ListEntry("k1")])]
    policy = compile_policy(pipeline, document_of(pipeline, rules=[], lists=lists))
    found = decide(pipeline, policy, [{}, {}, {}], FixedModel("m", [-9.0] * 3), now=MONDAY)
    assert found.rules == [[], ["list:many"], []]


def test_the_functions_of_rules_are_documented() -> None:
    page = Path(__file__).resolve().parents[3] / "docs" / "discussions" / "policy.md"
    text = page.read_text(encoding="utf-8").split()
    assert [name for name in FUNCTIONS.split() if f"`{name}`" not in text and name not in text] == []


def test_no_other_function_of_duckdb_can_be_called_however_it_is_written() -> None:
    allowed = set(FUNCTIONS.split())
    with sandbox() as connection:
        rows = connection.execute("select distinct function_name from duckdb_functions()").fetchall()
    others = [name for (name,) in rows if re.fullmatch(r"\w+", name) and name not in allowed]
    assert len(others) > 500
    for name in set(others) - KEYWORDS:
        for call in (
            f"{name}(1)",
            f"{name.upper()} (1)",
            f'"{name}"(1)',
            f"'x'.{name}(1)",
            f"main.{name}(1)",
        ):
            with pytest.raises(PolicyError, match=rf"rules\.sly: .*(?i:{re.escape(name)})"):
                check_condition("rules.sly", f"1 < {call}")


def test_every_function_that_a_rule_may_call_is_one() -> None:
    with sandbox() as connection:
        rows = connection.execute("select distinct function_name from duckdb_functions()").fetchall()
    syntax = (
        "extract cast try_cast try decimal dec numeric varchar char coalesce ifnull position substring if"
    )
    assert set(FUNCTIONS.split()) - {name for (name,) in rows} <= set(syntax.split())


def test_what_a_new_version_leaves_as_it_was_is_not_compiled_again(pipeline: Pipeline) -> None:
    stolen = EntityList("stolen", "deny", "card_id", [ListEntry("k1")])
    rule = PolicyRule("large", "amount > 50", "review")
    present = compile_policy(pipeline, document_of(pipeline, 1, rules=[rule], lists=[stolen]))
    moved = document_of(pipeline, 2, rules=[rule], lists=[stolen], review_margin=1.0)
    again = compile_policy(pipeline, moved, 7, present)
    assert again.rules is present.rules
    assert again.lists is present.lists
    assert (again.offset, again.document) == (7, moved)
    longer = EntityList("stolen", "deny", "card_id", [ListEntry("k1"), ListEntry("k0")])
    other = document_of(pipeline, 3, rules=[PolicyRule("large", "amount > 60", "review")], lists=[longer])
    changed = compile_policy(pipeline, other, 8, again)
    found = decide(pipeline, changed, [{"amount": 55}, {}, {"amount": 65}], FixedModel("m", [-9.0] * 3))
    assert found.rules == [["list:stolen"], ["list:stolen"], ["large"]]


def test_a_rule_of_the_pipeline_file_may_name_its_review_queue(tmp_path: Path) -> None:
    dear = {"name": "dear", "when": "amount > 5", "action": "review", "queue": "high-value"}
    tree = shipped_tree()
    tree["decision"]["rules"] = [dear, {"name": "any", "when": "amount > 0", "action": "review"}]
    declared = pipeline_of(tree, tmp_path)[1]
    assert [rule.queue for rule in default_document(declared).rules] == ["high-value", None]
    dear["queue"] = "<b>"
    with pytest.raises(ConfigError, match="queue"):
        pipeline_of(tree, tmp_path)
