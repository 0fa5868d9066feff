"""Which word counts: the table of docs/discussions/policy.md, and a plain twin of it on random policies."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_store.units import from_text, to_text
from streams.messages import EntityList, ListEntry, PolicyRule, Snooze, Thresholds
from streams.policies import compile_policy
from streams.policies.actions import ACTION_NAMES
from tests.support.payments import MONDAY, SECOND, pipeline_of, shipped_tree
from tests.support.policies import FixedModel, decide, document_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_store.declaration.pipeline import Pipeline
    from streams.messages import PolicyDocument

LATER = to_text(MONDAY + SECOND)
PAST = to_text(MONDAY)
KEY = "a key for tests"


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory: pytest.TempPathFactory) -> Callable[[float], Pipeline]:
    """The shipped pipeline with another rate of its control group."""
    made: dict[float, Pipeline] = {}

    def with_rate(rate: float) -> Pipeline:
        if rate not in made:
            tree = shipped_tree()
            tree["outcomes"]["control_group"] = {"rate": rate, "key": KEY}
            tree["decision"] |= {"required_features": ["night"], "fallback": "review"}
            made[rate] = pipeline_of(tree, tmp_path_factory.mktemp("rate"))[1]
        return made[rate]

    return with_rate


def listed(name: str, kind: Any, *values: str, until: str | None = None) -> EntityList:
    return EntityList(name, kind, "card_id", [ListEntry(value, until) for value in values])


DENY, ALLOW, WATCH = listed("bad", "deny", "k1"), listed("good", "allow", "k1"), listed("eyed", "watch", "k1")
DECLINING, REVIEWING = PolicyRule("no", "true", "decline"), PolicyRule("look", "true", "review")
QUIET = Snooze("card_id", "k1", LATER)
LOW, MIDDLE, HIGH = -9.0, 0.0, 9.0  # with an amount of 20: approve, review, decline


@pytest.mark.parametrize(
    ("changes", "margin", "action", "propensity", "rules"),
    [
        ({"lists": [DENY]}, LOW, "decline", 0.0, ["list:bad"]),
        ({"lists": [DENY, ALLOW]}, LOW, "decline", 0.0, ["list:bad", "list:good"]),
        ({"lists": [DENY], "snoozes": [QUIET]}, MIDDLE, "decline", 0.0, ["list:bad"]),
        ({"lists": [ALLOW]}, HIGH, "approve", 1.0, ["list:good"]),
        (
            {"lists": [ALLOW, WATCH], "rules": [DECLINING]},
            HIGH,
            "approve",
            1.0,
            ["no", "list:good", "list:eyed"],
        ),
        ({"lists": [WATCH]}, LOW, "review", 0.5, ["list:eyed"]),
        ({"lists": [WATCH]}, HIGH, "decline", 0.5, ["list:eyed"]),
        ({"lists": [WATCH], "snoozes": [QUIET]}, LOW, "approve", 1.0, ["list:eyed", "snooze:card_id"]),
        ({"rules": [REVIEWING]}, LOW, "review", 0.5, ["look"]),
        ({"rules": [REVIEWING]}, HIGH, "decline", 0.5, ["look"]),
        ({"rules": [REVIEWING, DECLINING]}, LOW, "decline", 0.5, ["look", "no"]),
        ({"rules": [PolicyRule("mild", "true", "approve")]}, HIGH, "decline", 0.5, ["mild"]),
        ({"snoozes": [QUIET]}, MIDDLE, "approve", 1.0, ["snooze:card_id"]),
        ({"snoozes": [QUIET]}, LOW, "approve", 1.0, []),
        ({"snoozes": [QUIET]}, HIGH, "decline", 0.5, []),
        ({"snoozes": [QUIET], "rules": [REVIEWING]}, LOW, "approve", 1.0, ["look", "snooze:card_id"]),
        ({"snoozes": [Snooze("card_id", "k1", PAST)]}, MIDDLE, "review", 0.5, []),
        ({"lists": [listed("bad", "deny", "k1", until=PAST)]}, LOW, "approve", 1.0, []),
        ({"lists": [listed("bad", "deny", "k1", until=LATER)]}, LOW, "decline", 0.0, ["list:bad"]),
        ({"lists": [listed("bad", "deny", "k2")]}, LOW, "approve", 1.0, []),
        ({}, MIDDLE, "review", 0.5, []),
    ],
)
def test_the_table_of_precedence(
    pipelines: Callable[[float], Pipeline],
    changes: dict[str, Any],
    margin: float,
    action: str,
    propensity: float,
    rules: list[str],
) -> None:
    pipeline = pipelines(0.5)
    policy = compile_policy(pipeline, document_of(pipeline, **({"rules": []} | changes)))
    found = decide(pipeline, policy, [{"amount": 20, "card_id": "k1"}], FixedModel("m", [margin]))
    assert ACTION_NAMES[found.policy_actions[0]] == action
    assert found.propensities.tolist() == [propensity]
    assert found.rules == [rules]


CONDITIONS: dict[str, Callable[[dict[str, Any]], bool | None]] = {
    "amount >= 50": lambda e: e["amount"] >= 50,
    "score > 0.5": lambda e: None if e["score"] is None else e["score"] > 0.5,
    "margin is null": lambda e: e["score"] is None,
    "device_id = 'd1' and country <> 'DE'": lambda e: e["device_id"] == "d1" and e["country"] != "DE",
    "night = 1": lambda e: e["night"] is not None and e["night"] == 1,
    "false": lambda _: False,
}
ACTIONS: Any = st.sampled_from(ACTION_NAMES)
CARDS, COUNTRIES = st.sampled_from(["k0", "k1"]), st.sampled_from(["DE", "FR"])
FIELDS = {"card_id": CARDS, "country": COUNTRIES}
UNTIL = st.sampled_from([None, LATER, PAST])
EVENTS = st.fixed_dictionaries(
    {
        "card_id": CARDS,
        "country": COUNTRIES,
        "device_id": st.sampled_from([None, "d1", "d2"]),
        "amount": st.sampled_from([0, 4, 20, 75, 900]),
        "margin": st.sampled_from([-9.0, -1.0, 0.0, 1.0, 9.0, math.nan]),
        "night": st.sampled_from([None, 0.0, 1.0]),
    }
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Changes to a policy document, of every kind."""
    rules = [
        PolicyRule(f"r{n}", when, draw(ACTIONS), draw(st.sampled_from([None, "q1", "q2"])))
        for n, when in enumerate(draw(st.lists(st.sampled_from(list(CONDITIONS)), max_size=3)))
    ]
    lists = []
    kinds: Any = st.sampled_from(["deny", "allow", "watch"])
    for n, (field, kind) in enumerate(
        draw(
            st.lists(
                st.tuples(st.sampled_from(list(FIELDS)), kinds),
                max_size=3,
            )
        )
    ):
        entries = draw(st.lists(st.builds(ListEntry, FIELDS[field], UNTIL), max_size=3))
        lists.append(EntityList(f"l{n}", kind, field, entries))
    snoozes = [
        Snooze(field, draw(FIELDS[field]), draw(st.sampled_from([LATER, PAST])))
        for field in draw(st.lists(st.sampled_from(list(FIELDS)), max_size=3))
    ]
    thresholds = draw(
        st.sampled_from([None, Thresholds(0.3, 0.9), Thresholds(None, 0.5), Thresholds(0.5, None)])
    )
    margin = draw(st.sampled_from([None, 0.5, 5.0]))
    changes = {"rules": rules, "lists": lists, "snoozes": snoozes}
    return changes | {"thresholds": thresholds, "review_margin": margin}


def drawn(event_id: str) -> float:
    secret = hashlib.sha256(KEY.encode()).digest()
    return int.from_bytes(hashlib.blake2b(event_id.encode(), key=secret, digest_size=8).digest()) / 2.0**64


def asked_by_score(document: PolicyDocument, score: float, margin: float, amount: float) -> str:
    review = document.review_margin is None or margin >= document.review_margin
    if document.thresholds is not None:
        low, high = document.thresholds.review, document.thresholds.decline
        if high is not None and score >= high:
            return "decline"
        return "review" if low is not None and score >= low and review else "approve"
    prices = {"approve": score * amount, "review": 4.0, "decline": (1 - score) * 15.0}
    if not review:
        del prices["review"]
    return min(prices, key=lambda action: prices[action])  # of equal ones the first, the mildest


def plainly(
    document: PolicyDocument, event: dict[str, Any], rate: float
) -> tuple[str, str, float, list[str], str | None]:
    """Policy action, action, propensity, what matched and the queue of one event."""
    known = event["night"] is not None and not math.isnan(event["margin"])
    score = 1.0 / (1.0 + math.exp(-event["margin"])) if known else None
    asked = [
        asked_by_score(document, score, event["margin"], event["amount"]) if score is not None else "review"
    ]
    ruled = [rule for rule in document.rules if CONDITIONS[rule.when](event | {"score": score})]
    on = [
        each
        for each in document.lists
        if any(
            e.value == event[each.field] and (e.until is None or from_text(e.until) > MONDAY)
            for e in each.entries
        )
    ]
    kinds = {each.kind for each in on}
    asked += [rule.action for rule in ruled] + ["review"] * ("watch" in kinds)
    action = max(asked, key=ACTION_NAMES.index)
    quiet = [s.field for s in document.snoozes if s.value == event[s.field] and from_text(s.until) > MONDAY]
    names = [rule.name for rule in ruled] + [f"list:{each.name}" for each in on]
    if "deny" in kinds:
        action = "decline"
    elif "allow" in kinds:
        action = "approve"
    elif action == "review" and quiet:
        action = "approve"
        names += [f"snooze:{field}" for field in set(quiet)]
    queues = [rule.queue for rule in ruled if rule.action == action and rule.queue is not None]
    propensity = 1.0 if action == "approve" else 0.0 if "deny" in kinds else rate
    through = action != "approve" and "deny" not in kinds and drawn(event["event_id"]) < rate
    return action, "approve" if through else action, propensity, sorted(names), next(iter(queues), None)


@settings(deadline=None, max_examples=60)
@given(documents(), st.lists(EVENTS, max_size=12), st.sampled_from([0.0, 0.5, 1.0]))
def test_a_policy_decides_as_its_plain_twin_does_event_by_event(
    pipelines: Callable[[float], Pipeline], changes: dict[str, Any], events: list[dict[str, Any]], rate: float
) -> None:
    pipeline = pipelines(rate)
    document = document_of(pipeline, **changes)
    found = decide(
        pipeline,
        compile_policy(pipeline, document),
        [{name: e[name] for name in ("card_id", "country", "device_id", "amount")} for e in events],
        FixedModel("m", [each["margin"] for each in events]),
        night=[math.nan if each["night"] is None else each["night"] for each in events],
    )
    queues = found.queues or [None] * len(events)
    for row, event in enumerate(events):
        expected = plainly(document, event | {"event_id": f"e{row}"}, rate)
        assert (
            ACTION_NAMES[found.policy_actions[row]],
            ACTION_NAMES[found.actions[row]],
            found.propensities[row],
            sorted(found.rules[row]),
            queues[row],
        ) == expected


def test_two_snoozes_of_one_value_hold_as_long_as_the_longer(pipelines: Callable[[float], Pipeline]) -> None:
    pipeline = pipelines(0.0)
    twice = [Snooze("card_id", "k1", LATER), Snooze("card_id", "k1", PAST)]
    for snoozes in (twice, twice[::-1]):
        policy = compile_policy(pipeline, document_of(pipeline, rules=[], snoozes=snoozes))
        found = decide(pipeline, policy, [{"amount": 20, "card_id": "k1"}], FixedModel("m", [MIDDLE]))
        assert found.rules == [["snooze:card_id"]]
