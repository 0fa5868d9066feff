"""Outcomes: whose word counts, how long silence takes to mean legitimate, and the control group."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from feature_store.declaration.base import Declared
from feature_store.units import Duration


class ControlGroup(Declared):
    """Events that would be stopped, let through at a known rate so that their outcome is seen."""

    rate: float = Field(default=0.0, ge=0.0, le=1.0, description="share of stopped events that go through")
    key: str = Field(default="", description="secret of the draw; take it from the environment: ${NAME}")

    @model_validator(mode="after")
    def _drawn_in_secret(self) -> Self:
        if self.rate > 0 and not self.key:
            raise ValueError("key: a control group needs a secret key, for example ${CONTROL_KEY}")
        return self


class OutcomeSpec(Declared):
    """What is known about the truth, from whom, and when."""

    sources: dict[str, Duration] = Field(
        min_length=1,
        description="source -> maturity: how long after the event its outcome is in. "
        "Where sources disagree, the one named first wins",
    )
    control_group: ControlGroup = ControlGroup()

    @property
    def maturity(self) -> int:
        """Silence for this long (us) after a let-through event means legitimate."""
        return max(self.sources.values())

    def precedence(self, source: str) -> int:
        """0 for the source whose word counts most; sources that are not declared come last."""
        names = list(self.sources)
        return names.index(source) if source in names else len(names)
