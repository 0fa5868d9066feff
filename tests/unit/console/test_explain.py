"""Decisions explained: the score comes out the same to the digit, or it is said why not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from console.explain.reproduce import reproduced
from console.explain.reproduction import SCORELESS, Reproduced
from console.explain.versions import Versions
from console.explain.view import ExplainedPage, bar, in_words
from feature_store.errors import BrokerError, ContractError
from streams.messages import EntityList, ListEntry, PolicyDocument, PolicyRule, Reason, Snooze
from streams.models.champion import load_champion
from streams.models.engine import native_engine
from tests.support.payments import private_pipeline
from tests.support.scored import Model, fitted, vectors
from training.contract import ARTIFACT
from training.keeper.evidence import Evidence, Scored, Trained

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.messages import Manifest

FAMILIES = ["lightgbm", "xgboost"]


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return private_pipeline(tmp_path, "unit")[1]


def stored(pipeline: Pipeline, model: Model, *, native: bool = False) -> list[Evidence]:
    """What the keeper would tell of twenty events of a batch that ``model`` scored."""
    manifest, artifact = model
    champion = load_champion(manifest, artifact, pipeline.feature_vector)
    engine = native_engine(manifest.family, artifact) if native else champion.engine
    matrix = vectors(pipeline, 20, seed=4)
    margins = engine.margins(matrix)
    scores = champion.scores(margins)
    names = [feature.name for feature in pipeline.feature_vector]
    return [
        Evidence(
            event_id=f"e{row}",
            event={"event_id": f"e{row}", "amount": "12.50", "ip_address": "192.0.2.7"},
            features={
                name: None if np.isnan(value) else float(value)
                for name, value in zip(names, matrix[row], strict=True)
            },
            hashes={feature.name: feature.hash for feature in pipeline.feature_vector},
            scored=_scored(manifest.version, engine.name, float(margins[row]), float(scores[row])),
            release_epoch=3,
            policy_offset=-1,
            decision=None,
            amendments=[],
            outcomes=[],
        )
        for row in range(20)
    ]


def _scored(model: str | None, engine: str | None, margin: float | None, score: float | None) -> Scored:
    return Scored(
        source_partition=1,
        source_offset=7,
        seq=9,
        arrived_at="2026-01-05T00:00:00Z",
        decided_at="2026-01-05T00:00:01Z",
        late=False,
        margin=margin,
        score=score,
        engine=engine,
        model=model,
        policy_action="review",
        action="approve",
        propensity=0.02,
        rules=["amount_limit"],
        fallback=None if model else "cold_start",
    )


@pytest.mark.parametrize("native", [True, False], ids=["native", "packed"])
@pytest.mark.parametrize("family", FAMILIES)
def test_what_a_batch_was_scored_comes_out_event_by_event(
    pipeline: Pipeline, family: str, native: bool
) -> None:
    model = fitted(pipeline, "m-1", family)
    found = stored(pipeline, model, native=native)
    assert found[0].scored.engine == (family if native else f"{family}-packed")
    for each in found:
        made = reproduced(pipeline, each, lambda _: model)
        assert (made.equal, made.margin, made.score) == (True, each.scored.margin, each.scored.score)
        assert made.base is not None
        told = made.base + sum(reason.contribution for reason in made.reasons)
        assert told == pytest.approx(each.scored.margin, abs=1e-5)
        assert in_words(each, made).endswith("equal to the digit")


def test_another_number_is_not_equal_and_both_are_told(pipeline: Pipeline) -> None:
    model = fitted(pipeline, "m-1")
    each = stored(pipeline, model)[0]
    assert each.scored.margin is not None
    another = float(np.nextafter(each.scored.margin, 10))
    each = msgspec.structs.replace(each, scored=msgspec.structs.replace(each.scored, margin=another))
    made = reproduced(pipeline, each, lambda _: model)
    assert made.equal is False
    assert in_words(each, made).startswith("NOT EQUAL: reproduced by lightgbm-packed: margin ")
    assert repr(another) in in_words(each, made)
    assert repr(made.margin) in in_words(each, made)


def test_a_model_that_read_another_feature_is_not_run_on_it(pipeline: Pipeline) -> None:
    model = fitted(pipeline, "m-1")
    each = stored(pipeline, model)[0]
    each = msgspec.structs.replace(each, hashes=each.hashes | {"night": "0" * 16})
    made = reproduced(pipeline, each, lambda _: model)
    assert made.equal is None
    assert "of 'night'; what is stored was computed by 0000000000000000" in in_words(each, made)


def test_an_engine_that_is_not_here_is_named(pipeline: Pipeline) -> None:
    model = fitted(pipeline, "m-1")
    each = stored(pipeline, model)[0]
    each = msgspec.structs.replace(each, scored=msgspec.structs.replace(each.scored, engine="abacus"))
    assert "the engine 'abacus' of a lightgbm model is not known here" in in_words(
        each, reproduced(pipeline, each, lambda _: model)
    )


def test_without_a_score_there_is_nothing_to_reproduce(pipeline: Pipeline) -> None:
    each = stored(pipeline, fitted(pipeline, "m-1"))[0]
    each = msgspec.structs.replace(each, scored=_scored(None, None, None, None))

    def unasked(_: Evidence) -> tuple[Manifest, bytes]:
        raise AssertionError("no version is needed")

    made = reproduced(pipeline, each, unasked)
    assert made == Reproduced(None, SCORELESS)
    assert in_words(each, made).endswith("(cold_start)")


def test_a_version_that_left_kafka_is_found_in_its_run(pipeline: Pipeline, tmp_path: Path) -> None:
    manifest, artifact = fitted(pipeline, "m-1")
    each = stored(pipeline, (manifest, artifact))[0]

    def nothing_runs() -> str:
        raise BrokerError("nothing runs here")

    versions = Versions(pipeline, tmp_path, nothing_runs)
    with pytest.raises(BrokerError, match="nothing runs here"):
        versions.of(each)
    each = msgspec.structs.replace(each, trained=Trained("run-1", manifest))
    with pytest.raises(BrokerError):
        versions.of(each)
    folder = tmp_path / "runs" / "run-1"
    folder.mkdir(parents=True)
    (folder / ARTIFACT).write_bytes(artifact)
    assert reproduced(pipeline, each, versions.of).equal is True
    (folder / ARTIFACT).write_bytes(artifact[:-1])
    made = reproduced(pipeline, each, versions.of)
    assert made.equal is None
    assert "the artifact is not the one of its manifest" in str(made.why)


def test_a_failure_to_find_the_version_is_told(pipeline: Pipeline) -> None:
    each = stored(pipeline, fitted(pipeline, "m-1"))[0]

    def gone(_: Evidence) -> tuple[Manifest, bytes]:
        raise ContractError("model m-1 is gone")

    assert reproduced(pipeline, each, gone) == Reproduced(None, "model m-1 is gone")


def test_the_page_tells_everything_and_masks_personal_data(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    model = fitted(pipeline, "m-1")
    each = stored(pipeline, model)[0]
    made = reproduced(pipeline, each, lambda _: model)
    page = ExplainedPage(pipeline)
    page.show(each, made)
    shown = capsys.readouterr().out
    assert "let through as one of the control group (policy: review)" in shown
    assert "amount_limit" in shown
    assert made.reasons[0].feature in shown
    assert f"{made.reasons[0].contribution:+.4f}" in shown
    assert "equal to the digit" in shown
    told = json.loads(page.as_json(each, made))
    assert told["event"] == {"event_id": "e0", "amount": "12.50", "ip_address": "***"}
    assert told["reproduced"]["equal"] is True
    assert told["scored"]["margin"] == each.scored.margin
    assert [msgspec.convert(reason, Reason) for reason in told["reproduced"]["reasons"]] == made.reasons
    assert "192.0.2.7" not in shown + page.as_json(each, made)


def test_personal_data_are_masked_wherever_they_stand(pipeline: Pipeline) -> None:
    personal = {"ip_address": "192.0.2.7", "amount": 12.5}
    decision = json.dumps({"event_id": "e0", "event": personal, "action": "review"})
    denied = EntityList("addresses", "deny", "ip_address", [ListEntry("192.0.2.7")])
    calm = [Snooze("ip_address", "192.0.2.7", "2026-01-02T00:00:00Z"), Snooze("card_id", "k1", "2026-01-02")]
    policy = PolicyDocument("unit", 3, "2026-01-01", "alice", "bad", lists=[denied], snoozes=calm)
    each = msgspec.structs.replace(
        stored(pipeline, fitted(pipeline, "m-1"))[0], decision=decision, amendments=[decision], policy=policy
    )
    line = ExplainedPage(pipeline).as_json(each, Reproduced(None, "why not"))
    assert "192.0.2.7" not in line
    told = json.loads(line)
    masked = {"event_id": "e0", "event": {"ip_address": "***", "amount": 12.5}, "action": "review"}
    assert told["decision"] == masked
    assert told["amendments"] == [masked]
    assert [snooze["value"] for snooze in told["policy"]["snoozes"]] == ["***", "k1"]


def test_what_a_producer_wrote_does_not_steer_the_terminal(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    found = stored(pipeline, fitted(pipeline, "m-1"))[0]
    steering = "e\x1b[2J\x9b1m[red]x"
    each = msgspec.structs.replace(found, event_id=steering, event={"event_id": steering})
    ExplainedPage(pipeline).show(each, Reproduced(None, "why not"))
    shown = capsys.readouterr().out
    assert "e [2J 1m[red]x" in shown
    assert {"\x1b", "\x9b"}.isdisjoint(shown)


def test_rules_are_told_as_the_policy_of_then_had_them(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    each = stored(pipeline, fitted(pipeline, "m-1"))[0]
    page, made = ExplainedPage(pipeline), Reproduced(None, "why not")
    page.show(each, made)
    shown = capsys.readouterr().out
    assert "amount_limit: amount >= 5000 (review)" in shown
    assert "the pipeline file's own" in shown
    rule = PolicyRule("amount_limit", "amount > 9", "decline")
    policy = PolicyDocument("unit", 3, "2026-01-01T00:00:00Z", "alice", "too many", rules=[rule])
    page.show(msgspec.structs.replace(each, policy_offset=11, policy=policy), made)
    shown = capsys.readouterr().out
    assert "amount_limit: amount > 9 (decline)" in shown
    assert "version 3 by alice: too many, offset 11 of the policy topic" in shown


@pytest.mark.parametrize(
    ("share", "drawn"),
    [
        (1.0, " " * 12 + "│" + "█" * 12),
        (-0.5, " " * 6 + "█" * 6 + "│" + " " * 12),
        (0.01, " " * 12 + "│" + " " * 12),
    ],
)
def test_bars_go_left_and_right_from_the_middle(share: float, drawn: str) -> None:
    assert bar(share).plain == drawn
