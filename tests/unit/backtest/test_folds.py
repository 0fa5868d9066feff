"""Where folds begin and end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from feature_store.units import from_text, to_text
from tests.unit.history.past import declared
from training.backtest.folds import folds_of

DAYS = st.integers(0, 40)


@given(DAYS, DAYS, st.integers(1, 40), st.integers(1, 40), st.integers(1, 6), st.integers(0, 2**50))
def test_what_is_fitted_on_is_mature_at_the_moment_of_training(
    maturity: int, gap: int, history: int, judged: int, count: int, first: int
) -> None:
    lengths = {"gap": f"{gap}d", "history": f"{history}d", "judged": f"{judged}d"}
    pipeline = declared(outcomes={"sources": {"history": f"{maturity}d"}}, training=lengths)
    spec = pipeline.training
    folds = folds_of(pipeline, first, count)
    assert [fold.tested_from for fold in folds] == [first + n * spec.judged for n in range(count)]
    for fold in folds:
        assert fold.moment <= fold.tested_from
        assert fold.trained_until + pipeline.outcomes.maturity <= fold.moment
        assert fold.trained_until + spec.gap <= fold.moment
        assert fold.trained_until - fold.trained_from == spec.history
        assert fold.tested_until - fold.tested_from == spec.judged


def test_the_book_trains_on_a_week_leaves_a_week_out_and_tests_on_a_week() -> None:
    week = {"gap": "7d", "history": "7d", "judged": "7d"}
    fold = folds_of(declared(training=week), from_text("2018-08-08T00:00:00Z"), 4)[3]
    instants = [fold.trained_from, fold.trained_until, fold.tested_from, fold.tested_until]
    assert [to_text(each)[:10] for each in instants] == [
        "2018-08-15",
        "2018-08-22",
        "2018-08-29",
        "2018-09-05",
    ]
