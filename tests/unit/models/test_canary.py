"""Who is among a canary's entities: the same ones wherever it is asked, as many as declared."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from streams.models.canary import CanaryDraw

PINNED = [True, True, True, True, False, False, False, True, True, True, True, True]


def test_the_draw_is_pinned_since_processes_of_other_versions_must_say_the_same() -> None:
    keys = pa.array([f"c{n}" for n in range(12)])
    drawn = CanaryDraw("payments", "m2", 0.5).drawn(keys)
    assert drawn.tolist() == PINNED
    numbers = pa.array(range(8), pa.int64())
    texts = pa.array([str(n) for n in range(8)])
    draw = CanaryDraw("payments", "m2", 0.5)
    assert draw.drawn(numbers).tolist() == draw.drawn(texts).tolist()


def test_about_the_share_is_drawn_and_other_versions_draw_others() -> None:
    keys = pa.array([f"customer {n}" for n in range(20_000)])
    one, other = (CanaryDraw("payments", version, 0.1).drawn(keys) for version in ("m2", "m3"))
    assert abs(one.mean() - 0.1) < 0.01
    assert abs((one & other).mean() - 0.01) < 0.005


@given(st.lists(st.one_of(st.none(), st.sampled_from("abcdefgh")), max_size=40), st.floats(0.01, 0.99))
def test_an_entity_is_drawn_wherever_it_stands_and_a_larger_share_keeps_it(
    keys: list[str | None], share: float
) -> None:
    drawn = CanaryDraw("p", "m", share).drawn(pa.array(keys, pa.string())).tolist()
    more = CanaryDraw("p", "m", share + 0.005).drawn(pa.array(keys, pa.string())).tolist()
    alone = {key: CanaryDraw("p", "m", share).drawn(pa.array([key]))[0] for key in {*keys} - {None}}
    assert drawn == [key is not None and bool(alone[key]) for key in keys]
    assert all(later or not before for before, later in zip(drawn, more, strict=True))
