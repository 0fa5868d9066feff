"""What only trying shows is found by `check` and before `up` starts anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from console.soundness import check_soundness
from console.system import SystemSettings, running_system
from feature_store.errors import ConfigError
from tests.support.payments import pipeline_of, shipped_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def findings(folder: Path, change: Callable[[dict[str, Any]], object]) -> list[str]:
    tree = shipped_tree()
    change(tree)
    path, pipeline = pipeline_of(tree, folder)
    with pytest.raises(ConfigError) as refused:
        check_soundness(pipeline, path)
    said = str(refused.value).splitlines()
    assert all(line.startswith(f"{path}: ") for line in said)
    return [line.removeprefix(f"{path}: ") for line in said]


def row(sql: str) -> Callable[[dict[str, Any]], object]:
    return lambda tree: tree["features"]["rows"].update(own=sql)


def test_the_shipped_pipeline_is_sound(tmp_path: Path) -> None:
    path, pipeline = pipeline_of(shipped_tree(), tmp_path)
    check_soundness(pipeline, path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            row("countri <> home_country"),
            "features.rows.own: 'countri <> home_country': there is no 'countri' here; did you mean 'count",
        ),
        (
            row("zzz"),
            "features.rows.own: 'zzz': there is no 'zzz' here; there are event_id, event_time, customer_id, ",
        ),
        (row("amount >"), "features.rows.own: 'amount >': Parser Error"),
        (row("channel"), "features.rows.own: 'channel' gives text, not a number or a truth value; compare"),
        (row("random() < 0.5"), "features.rows.own: 'random() < 0.5' uses 'random'"),
        (
            lambda t: t["features"]["windows"][0].update(where={"online": "channl = 'online'"}),
            "features.windows.where.online: \"channl = 'online'\": there is no 'channl' here; did you mean",
        ),
        (
            lambda t: t["features"]["windows"][0].update(where={"here": "country"}),
            "features.windows.where.here: 'country' gives text, not a number or a truth value; compare",
        ),
        (row("customer_id_count_1h"), "features.rows.own: 'customer_id_count_1h': there is no "),
        (
            lambda t: t["decision"]["cold_start"][1].update(when="customer_id_card_id_count_2h > 6"),
            (
                "decision.cold_start.card_burst.when: 'customer_id_card_id_count_2h > 6': there is no "
                "'customer_id_card_id_count_2h' here; did you mean 'customer_id_card_id_count_24h'?"
            ),
        ),
        (
            lambda t: t["decision"]["rules"][0].update(when="len(repeat('x', 1000000000)) > 0"),
            "decision.rules.amount_limit.when: \"len(repeat('x', 1000000000)) > 0\": repeat is not a",
        ),
        (
            lambda t: t["decision"]["cold_start"][0].update(when="score > 0.5"),
            "decision.cold_start.large_abroad.when: 'score > 0.5': there is no 'score' here; ",
        ),
        (lambda t: t["training"].update(schedule="nightly"), "training.schedule: 'nightly' has 1 fields"),
        (lambda t: t["training"].update(schedule="0 25 * * *"), "training.schedule: '0 25 * * *': "),
        (
            lambda t: t["training"].update(schedule="0 2 31 2 *"),
            "training.schedule: '0 2 31 2 *' never comes",
        ),
        (lambda t: t.update(broker="kafk"), "broker 'kafk': 'kafk' is not host:port; expected auto, kafka"),
    ],
)
def test_a_mistake_is_named_by_key_with_the_cure(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    found = findings(tmp_path, change)
    assert len(found) == 1
    assert found[0].startswith(said)


def test_text_that_is_said_to_be_a_number_is_one(tmp_path: Path) -> None:
    tree = shipped_tree()
    tree["features"]["rows"]["own"] = "cast(merchant_id as double)"
    path, pipeline = pipeline_of(tree, tmp_path)
    check_soundness(pipeline, path)


def test_a_rule_may_speak_of_the_score(tmp_path: Path) -> None:
    tree = shipped_tree()
    tree["decision"]["rules"][0]["when"] = "score > 0.5 and margin is not null"
    path, pipeline = pipeline_of(tree, tmp_path)
    check_soundness(pipeline, path)


def test_a_key_that_is_none_is_said_before_anything_starts(tmp_path: Path) -> None:
    def change(tree: dict[str, Any]) -> None:
        tree["serving"] = {"trusted_keys": ["no key at all"]}

    (finding,) = findings(tmp_path, change)
    assert "serving.trusted_keys: 'no key at all'" in finding


@pytest.mark.parametrize("store", ["https://models", "s3://", "gs://bucket/models"])
def test_a_store_that_cannot_be_opened_is_no_store(tmp_path: Path, store: str) -> None:
    tree = shipped_tree()
    tree["training"]["artifacts"] = {"store": store}
    with pytest.raises(ConfigError, match=r"training\.artifacts\.store: expected a folder or s3://"):
        pipeline_of(tree, tmp_path)


def test_every_mistake_is_said_at_once(tmp_path: Path) -> None:
    def change(tree: dict[str, Any]) -> None:
        tree["features"]["rows"]["own"] = "nothing + 1"
        tree["decision"]["rules"][0]["when"] = "amount >="
        tree["training"]["schedule"] = "nightly"

    assert len(findings(tmp_path, change)) == 3


def test_up_refuses_before_it_starts_anything(tmp_path: Path) -> None:
    tree = shipped_tree()
    tree["features"]["rows"]["own"] = "nothing + 1"
    path, _ = pipeline_of(tree, tmp_path)
    settings = SystemSettings(path, tmp_path / "state")
    told: list[str] = []
    with pytest.raises(ConfigError, match=r"features\.rows\.own"), running_system(settings, told.append):
        pytest.fail("nothing may run")
    assert told == []
