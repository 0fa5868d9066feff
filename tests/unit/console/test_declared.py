"""What ``check`` says of a pipeline file that gives something up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from console.declared import describe, summary
from tests.support.payments import private_pipeline

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("delivery", "said"), [("exactly_once", False), ("at_least_once", True)])
def test_what_at_least_once_gives_up_is_said(tmp_path: Path, delivery: str, said: bool) -> None:
    config, pipeline = private_pipeline(tmp_path, "unit", serving={"delivery": delivery})
    told = summary(pipeline)
    assert told["delivery"] == delivery
    assert ("keeps the first of each `source`" in describe(config, told)) is said
