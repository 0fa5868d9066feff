"""What came of a training run, said once."""

from __future__ import annotations

from console.training_run import words

RUN = {
    "run_id": "r-1",
    "state": "refused",
    "detail": "few: 1; late: 2",
    "result": {"reasons": ["few: 1", "late: 2"]},
}


def test_every_reason_is_said_once() -> None:
    assert words(RUN).splitlines() == ["training run r-1: refused", "  few: 1", "  late: 2"]


def test_a_run_without_result_says_why() -> None:
    assert words(RUN | {"state": "failed", "detail": "killed", "result": None}).splitlines()[1:] == [
        "  killed"
    ]
