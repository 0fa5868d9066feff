"""A pipeline file is sound, or every finding names its key and the cure."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from feature_store.declaration.event import FieldType, Kind
from feature_store.declaration.load import load_pipeline, pipeline_schema
from feature_store.errors import ConfigError
from tests.support.payments import ENVIRONMENT, SHIPPED, pipeline_of, shipped_tree

if TYPE_CHECKING:
    from collections.abc import Callable

CONFIG = Path(__file__).resolve().parents[3] / "config"


@pytest.mark.parametrize("path", sorted(CONFIG.glob("*.yaml")), ids=lambda path: path.name)
def test_every_shipped_pipeline_is_sound(path: Path) -> None:
    assert load_pipeline(path, ENVIRONMENT).name == path.stem


def findings(tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> str:
    tree = shipped_tree()
    change(tree)
    with pytest.raises(ConfigError) as refused:
        pipeline_of(tree, tmp_path)
    assert refused.value.exit_code == 2
    return str(refused.value)


def _without_time(tree: dict[str, Any]) -> dict[str, Any]:
    return {name: spec for name, spec in tree["event"]["fields"].items() if name != "event_time"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t["event"].update(id="nope"), "event: id: 'nope' is not one of the declared fields"),
        (lambda t: t["event"].update(max_bytes=20_000_000), "event.max_bytes:"),
        (lambda t: t["event"]["fields"].update(amount="money"), "'money' is not a type; expected string"),
        (lambda t: t["event"]["fields"].update(amount="decimal(30,2)"), "1 to 18 digits"),
        (lambda t: t["event"].update(keey="x"), "event.keey: unknown key; did you mean 'key'?"),
        (
            lambda t: t["training"].update(schedul="x"),
            "training.schedul: unknown key; did you mean 'schedule'",
        ),
        (lambda t: t.pop("outcomes"), "outcomes: missing; this key is required"),
        (lambda t: t["features"].update(lateness="soon"), "features.lateness: expected a duration such as"),
        (lambda t: t["features"]["rows"].update(amount="amount"), "'amount' is already the name of an event"),
        (lambda t: t["features"]["rows"].update(score="1"), "'score' is a name the feature log uses itself"),
        (lambda t: t["features"]["windows"][0].update(entity="who"), "entity 'who' is not a declared field"),
        (
            lambda t: t["features"]["windows"][0].update(sum="channel"),
            "'channel' is a string; expected integer",
        ),
        (lambda t: t["features"]["windows"].append({"entity": "card_id", "windows": ["1h"]}), "no aggregate"),
        (lambda t: t["decision"]["costs"].update(amount="country"), "decision.costs.amount: 'country' is a"),
        (lambda t: t["decision"]["cold_start"][0].update(action="stop"), "decision.cold_start.0.action:"),
        (lambda t: t["training"].update(time_zone="Mars/Olympus"), "'Mars/Olympus' is not a time zone"),
        (lambda t: t["outcomes"]["control_group"].update(key=""), "a control group needs a secret key"),
        (lambda t: t.update(pipeline="My Pipeline"), "pipeline: "),
        (
            lambda t: t["features"]["windows"][0].update(quantile="amount"),
            "features.windows.0.quantile: unknown key; known here: entity, windows, count",
        ),
        (
            lambda t: t["event"]["fields"]["country"].update(requird=False),
            "event.fields.country.requird: unknown key; did you mean 'required'?",
        ),
        (
            lambda t: t["decision"]["rules"][0].update(wen="x"),
            "decision.rules.0.wen: unknown key; did you mean 'when'",
        ),
        (
            lambda t: t["event"]["fields"].update({False: "string"}),
            "event.fields: the key false is not text; YAML takes no, yes, on, off",
        ),
        (
            lambda t: t["event"]["fields"]["amount"].update(type="decimal(12"),
            "'decimal(12' is cut off; in braces, quote the type",
        ),
        (
            lambda t: t["features"]["windows"][0].update(entity=[]),
            "entity: name at least one field, and each",
        ),
        (
            lambda t: t["features"]["windows"][0].update(entity=["customer_id", "customer_id"]),
            "features.windows.0: entity: name at least one field, and each once",
        ),
        (
            lambda t: t["features"]["windows"][0].update(horizon="30d"),
            "features.windows.0: horizon: only last and since_last have one",
        ),
        (
            lambda t: t["features"]["windows"][0].update(windows="1h"),
            ".windows: expected a list, for example",
        ),
        (lambda t: t["features"]["windows"][0].update(where="night"), ".where: expected a mapping"),
        (
            lambda t: t["event"]["fields"].update(Amount="string"),
            "'Amount' differs from another field in case",
        ),
        (lambda t: t["event"]["fields"].update({"amount\n": "string"}), "must be a plain name"),
        (
            lambda t: t["event"].update(time="seq", fields=_without_time(t) | {"seq": "timestamp"}),
            "event.fields: 'seq' is a name that the feature log uses itself",
        ),
    ],
)
def test_a_mistake_is_named_by_key_with_the_cure(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    assert said in findings(tmp_path, change)


def test_a_mistake_between_sections_begins_with_its_key(tmp_path: Path) -> None:
    said = findings(tmp_path, lambda t: t["decision"]["costs"].update(amount="total"))
    assert said.endswith(".yaml: decision.costs.amount: 'total' is not a declared field")


def test_every_mistake_is_said_at_once(tmp_path: Path) -> None:
    def change(tree: dict[str, Any]) -> None:
        tree["features"]["lateness"] = "soon"
        tree["training"]["algorithm"] = "magic"

    said = findings(tmp_path, change)
    assert "features.lateness" in said
    assert "training.algorithm" in said


def test_secrets_come_from_the_environment_or_are_asked_for_by_name() -> None:
    found = load_pipeline(SHIPPED, {"SLUICEGATE_CONTROL_KEY": "hush"})
    assert found.outcomes.control_group.key == "hush"
    with pytest.raises(ConfigError, match="SLUICEGATE_CONTROL_KEY"):
        load_pipeline(SHIPPED, {})


@pytest.mark.parametrize("text", ["a: [", "- just a list", ""])
def test_what_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"pipeline\.yaml"):
        load_pipeline(path, {})


def test_broken_yaml_is_said_in_one_line_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_text("pipeline: orders\noutcomes:\n\tsources: {}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load_pipeline(path, {})
    assert "not valid YAML: line 3, column 1: " in str(refused.value)
    assert str(refused.value).endswith("indent with spaces")
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.yaml: cannot be read"):
        load_pipeline(tmp_path / "nothing.yaml", {})


def test_features_name_themselves_and_their_hash_follows_the_definition(tmp_path: Path) -> None:
    tree = shipped_tree()
    _, before = pipeline_of(tree, tmp_path)
    tree["features"]["rows"]["hour"] = "extract(hour from event_time) + 1"
    tree["event"]["fields"]["note"] = {"type": "string", "required": False}
    _, after = pipeline_of(tree, tmp_path)
    changed = [a.name for a, b in zip(after.feature_vector, before.feature_vector, strict=True) if a != b]
    assert changed == ["hour"]
    assert "customer_id_mean_amount_7d" in {feature.name for feature in before.feature_vector}


def test_a_hash_covers_the_time_field_and_the_types_of_the_entity(tmp_path: Path) -> None:
    tree = shipped_tree()
    _, before = pipeline_of(tree, tmp_path)
    hashes = {feature.name: feature.hash for feature in before.feature_vector}
    by_another_time = before.features.ordered(before.field_types, "booked_at")
    windows = {feature.name for feature in before.features.window_features()}
    assert {f.name for f in by_another_time if f.hash != hashes[f.name]} == windows
    tree["event"]["fields"]["country"] = "integer"
    del tree["features"]["rows"]["abroad"]
    _, after = pipeline_of(tree, tmp_path)
    changed = {f.name for f in after.feature_vector if f.hash != hashes[f.name]}
    assert changed == {"customer_id_country_count_24h", "customer_id_country_count_7d"}


def test_empty_is_no_part_of_what_is_never_null(tmp_path: Path) -> None:
    tree = shipped_tree()
    _, before = pipeline_of(tree, tmp_path)
    tree["features"]["windows"][0]["empty"] = 0
    _, after = pipeline_of(tree, tmp_path)
    changed = [a.name for a, b in zip(after.feature_vector, before.feature_vector, strict=True) if a != b]
    assert changed == [f"customer_id_mean_amount_{length}" for length in ("1h", "24h", "7d")]


def test_entities_without_the_partition_key_are_told_apart(tmp_path: Path) -> None:
    tree = shipped_tree()
    assert pipeline_of(tree, tmp_path)[1].global_features == ()
    tree["features"]["windows"].append({"entity": "terminal_id", "windows": ["24h"], "count": True})
    names = [feature.name for feature in pipeline_of(tree, tmp_path)[1].global_features]
    assert names == ["terminal_id_count_24h"]


def test_types_are_written_as_they_are_read() -> None:
    assert str(FieldType.model_validate("decimal( 12 , 2 )")) == "decimal(12,2)"
    assert FieldType.model_validate("timestamp").kind is Kind.TIMESTAMP


def test_the_schema_names_every_top_level_key() -> None:
    schema = pipeline_schema()
    assert set(shipped_tree()) <= set(schema["properties"])
    assert schema["additionalProperties"] is False


def test_the_schema_allows_the_short_forms() -> None:
    kinds = pipeline_schema()["$defs"]
    fields = kinds["EventSpec"]["properties"]["fields"]["additionalProperties"]["anyOf"]
    assert {each["$ref"].rpartition("/")[2] for each in fields} == {"FieldType", "FieldSpec"}
    for text in ("string", "timestamp", "decimal(12,2)", "decimal( 12 , 2 )"):
        assert re.match(kinds["FieldType"]["pattern"], text)
        assert str(FieldType.model_validate(text)) == text.replace(" ", "")
    assert not re.match(kinds["FieldType"]["pattern"], "money")
    assert {each["type"] for each in kinds["WindowSpec"]["properties"]["mean"]["anyOf"]} == {
        "string",
        "array",
    }


def test_the_schema_writes_durations_as_people_do() -> None:
    kinds = pipeline_schema()["$defs"]
    assert kinds["TrainingSpec"]["properties"]["judged"]["default"] == "24h"
    assert kinds["WindowSpec"]["properties"]["delay"]["default"] == "0s"
    assert kinds["TrainingSpec"]["properties"]["min_events"]["default"] == 1_000


LAUGHS = "x0: &x0 [a, a, a, a, a, a, a, a, a, a]\n" + "".join(
    f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]\n" for n in range(1, 8)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &a [*a]", "nested too deeply"),
        ("a: " + "[" * 3_000 + "]" * 3_000, "nested too deeply"),
        (LAUGHS, "more than 1000000 values"),
        ("a: " + "9" * 5_000, "not what YAML takes it for"),
        ("a: 0x" + "f" * 5_000, "more than 1024 bits"),
        ("a: 2001-99-99", "not what YAML takes it for"),
        ("a: 2001-12-14t21:59:43.10+99:99", "not what YAML takes it for"),
        ("a: !!float none", "not what YAML takes it for"),
        ("a: !!int none", "not what YAML takes it for"),
        ("a: !!bool none", "not what YAML takes it for"),
        ("a: !!timestamp none", "not what YAML takes it for"),
    ],
)
def test_what_only_yaml_can_say_is_refused_in_words(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=said):
        load_pipeline(path, {})
