"""Champion and shadow, side by side."""

from __future__ import annotations

import numpy as np
import pytest

from feature_store.declaration.monitoring import AgreementSpec
from streams.monitor.agreement import NEWEST, Agreement
from streams.monitor.releases import Acting
from tests.support.manifests import bare_manifest

RANDOM = np.random.default_rng(4)


def _acting(champion: str, *shadows: str) -> Acting:
    return Acting(1, bare_manifest(champion), shadows)


def _scored(agreement: Agreement, noise: float, count: int = 10_000) -> None:
    """Events whose highest twentieth is stopped; the shadow says the same but for ``noise``, halved."""
    for score in RANDOM.random(count):
        its = 0.5 * np.clip(score + RANDOM.normal(0, noise), 0, 1)
        agreement.add("v1", score, {"v2": float(its)}, stopped=bool(score > 0.95))


def test_a_shadow_that_would_stop_the_same_events_agrees_whatever_its_scale() -> None:
    agreement = Agreement(AgreementSpec())
    agreement.under(_acting("v1", "v2"))
    _scored(agreement, 0.0)
    (told,) = agreement.status()
    assert (told["overlap"], told["state"], told["events"]) == (1.0, "good", 10_000)
    assert told["rank_correlation"] == pytest.approx(1.0)
    assert told["mean_difference"] == pytest.approx(-0.25, abs=0.01)


def test_one_that_would_stop_others_does_not() -> None:
    agreement = Agreement(AgreementSpec())
    agreement.under(_acting("v1", "v2"))
    _scored(agreement, 5.0)
    (told,) = agreement.status()
    assert told["overlap"] < 0.2
    assert told["state"] == "bad"


def test_few_stopped_events_say_nothing_and_old_ones_are_forgotten() -> None:
    agreement = Agreement(AgreementSpec())
    agreement.under(_acting("v1", "v2"))
    assert agreement.status()[0]["state"] == "too_little"
    _scored(agreement, 0.0, count=1_000)
    assert agreement.status()[0]["state"] == "too_little"
    for _ in range(NEWEST):
        agreement.add("v1", 0.1, {"v2": 0.1}, stopped=False)
    assert agreement.status()[0]["stopped"] == 0


def test_a_new_champion_begins_anew_and_what_another_model_decided_does_not_count() -> None:
    agreement = Agreement(AgreementSpec())
    agreement.under(_acting("v1", "v2"))
    agreement.add("canary", 0.5, {"v2": 0.5}, stopped=False)
    assert agreement.status()[0]["events"] == 0
    _scored(agreement, 0.0, count=100)
    agreement.under(_acting("v1", "v2", "v3"))
    assert [each["events"] for each in agreement.status()] == [100, 0]
    agreement.under(_acting("v3", "v2"))
    assert [each["events"] for each in agreement.status()] == [0]
