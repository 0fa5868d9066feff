"""The card of real runs: what is on it, what never is, and what happens where it cannot be drawn."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import msgspec
import numpy as np
import pytest

from streams.models.champion import load_champion
from tests.support.labelled import labelled
from tests.support.models import small_model
from tests.support.training_snapshots import AS_OF, declare, payments
from training.card import card
from training.card.drift import feature_drift
from training.card.material import Material, Side
from training.card.money import by_threshold
from training.card.plots import thinned
from training.code_version import code_version
from training.contract import CARD, ChampionRef, TrainingRequest, TrainingResult, load_result, save_request
from training.dataset.split import Split
from training.evaluation.scored import Scored
from training.trainer.run import run_training

if TYPE_CHECKING:
    from pathlib import Path


MOST_BYTES = 500_000
HOSTILE = "<script>alert('x')</script> & \"more\""
NEVER_CLOSED = {"meta", "br"}


def quiet(step: str, **numbers: float) -> None:
    """Nobody hears of progress."""


def run(folder: Path, *, champion: ChampionRef | None = None, shuffle: bool = False) -> TrainingResult:
    folder.mkdir()
    pipeline = declare()
    payments(pipeline).write(folder)
    request = TrainingRequest(
        run_id="r-1", pipeline="payments", as_of=AS_OF, next_version="payments-1", why=HOSTILE,
        champion=champion, shuffle_labels=shuffle,
    )  # fmt: skip
    save_request(folder, request)
    return run_training(folder, pipeline, quiet)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The cards of a first night, of one with a champion, and of one that was refused."""
    base = tmp_path_factory.mktemp("runs")
    passed = run(base / "first")
    assert passed.manifest is not None, passed.reasons
    manifest = base / "manifest.json"
    champion = msgspec.structs.replace(passed.manifest, version="payments-0")
    manifest.write_bytes(msgspec.json.encode(champion))
    reference = ChampionRef("payments-0", str(manifest), str(base / "first" / "artifact"))
    run(base / "second", champion=reference)
    assert run(base / "refused", shuffle=True).verdict == "refused"
    return {each.name: (each / CARD).read_text() for each in base.iterdir() if each.is_dir()}


CARDS = pytest.mark.parametrize("which", ["first", "second", "refused"])


class _Balanced(HTMLParser):
    """Notes tags that are closed in another order than they were opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag not in NEVER_CLOSED:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


@CARDS
def test_it_needs_nothing_from_anywhere(runs: dict[str, str], which: str) -> None:
    page = runs[which]
    assert len(page.encode()) < MOST_BYTES
    assert not re.findall(r"<(script|link|iframe|img|object)\b", page)
    addresses = set(re.findall(r"https?://[^\"' ]+", page))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert "url(" not in re.sub(r"url\(#\w+\)", "", page)


@CARDS
def test_what_comes_from_outside_is_escaped(runs: dict[str, str], which: str) -> None:
    assert "<script" not in runs[which]
    assert "&lt;script&gt;alert" in runs[which]


@CARDS
def test_it_is_well_formed_and_every_plot_says_what_it_shows(runs: dict[str, str], which: str) -> None:
    parsed = _Balanced()
    parsed.feed(runs[which])
    assert (parsed.wrong, parsed.open) == ([], [])
    plots = re.findall(r"<svg.*?</svg>", runs[which], re.DOTALL)
    assert len(plots) == 7
    for plot in plots:
        assert len(ET.fromstring(plot).attrib["aria-label"]) > 20  # noqa: S314  (our own)
    identities = re.findall(r' id="([^"]+)"', runs[which])
    assert len(identities) == len(set(identities))


@CARDS
def test_it_tells_verdict_lineage_and_limits(runs: dict[str, str], which: str) -> None:
    page = runs[which]
    assert f'class="verdict {"refused" if which == "refused" else "passed"}"' in page
    for told in (
        "payments-1",
        "SHA-256",
        f"files {code_version().files[:12]}",
        "amount_eur",
        "learning_rate",
        "no control group",
        "must not be used",
    ):
        assert told in page, told
    assert ("champion payments-0" in page) == (which == "second")
    if which == "refused":
        assert "no_better_than_chance" in page


def test_a_run_that_cannot_draw_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Material) -> str:
        raise MemoryError

    monkeypatch.setattr(card, "draw", broken)
    result = run(tmp_path / "run")
    assert result.verdict == "passed"
    assert load_result(tmp_path / "run") == result
    assert not (tmp_path / "run" / CARD).exists()


SIDE = Side("v0", "is measured somehow", np.array([True, True, False, False]), np.array([0.4, 0.3]))


def material(fraud: list[bool]) -> Material:
    """Four judged events and a champion that may be compared on the first two."""
    judged = labelled(np.array(fraud), np.zeros((4, 3)))
    pipeline = declare()
    manifest, artifact = small_model(pipeline, "v1")
    return Material(
        pipeline=pipeline,
        request=TrainingRequest(run_id="r", pipeline="p", as_of=0, next_version="v1", why="test"),
        result=TrainingResult(run_id="r", verdict="refused", reasons=[], as_of=0),
        split=Split(judged, judged, judged, 0, 0, 0, 0),
        model=load_champion(manifest, artifact, pipeline.feature_vector),
        artifact=artifact,
        score=np.array([0.9, 0.1, 0.8, 0.2]),
        champion=SIDE,
    )


def test_both_sides_are_shown_on_the_events_that_both_can_be_measured_on() -> None:
    shown = material([True, False, True, False])
    assert shown.ours.score.tolist() == [0.9, 0.1]
    assert shown.theirs is not None
    assert shown.theirs.score.tolist() == [0.4, 0.3]


def test_a_champion_without_a_fraud_to_be_compared_on_is_left_out() -> None:
    shown = material([False, False, True, False])
    assert shown.theirs is None
    assert len(shown.ours) == 4


def test_drift_is_nothing_where_nothing_moved_and_much_where_all_did() -> None:
    random = np.random.default_rng(1)
    before = random.normal(size=(5_000, 3))
    after = random.normal(size=(5_000, 3))
    after[:, 1] += 3
    after[::2, 2] = np.nan
    same, moved, missing = feature_drift(before, after)
    assert same < 0.02
    assert moved > 2
    assert missing > 0.25


def test_money_by_threshold_is_what_every_threshold_would_have_cost() -> None:
    random = np.random.default_rng(2)
    rows = 60
    scored = Scored(
        fraud=random.random(rows) < 0.3,
        score=random.integers(0, 10, rows) / 10,
        weight=random.integers(1, 4, rows).astype(float),
        entity=np.arange(rows),
        time=np.arange(rows),
        amount=np.where(random.random(rows) < 0.1, np.nan, random.gamma(2, 30, rows)),
    )
    costs = declare().decision.costs
    found = by_threshold(scored, costs)
    lost = np.nan_to_num(scored.amount) * costs.missed_fraud_share + costs.missed_fraud
    for at, threshold in enumerate(found.threshold):
        stopped = scored.score >= threshold
        missed = (scored.weight * lost)[~stopped & scored.fraud].sum()
        wrongly = scored.weight[stopped & ~scored.fraud].sum()
        assert found.reviewing[at] == pytest.approx(missed + costs.review * scored.weight[stopped].sum())
        assert found.declining[at] == pytest.approx(missed + costs.false_decline * wrongly)


def test_a_long_line_keeps_its_ends_and_its_jumps() -> None:
    x = np.linspace(0, 1, 100_000)
    y = (x > 0.123456).astype(float)
    few_x, few_y = thinned(x, y)
    assert len(few_x) < 700
    assert (few_x[0], few_x[-1]) == (0, 1)
    place = int(np.searchsorted(few_y, 1))
    assert few_x[place] == pytest.approx(0.123456, abs=0.01)
