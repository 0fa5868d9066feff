"""The explainer: exact reasons of the decisions that stopped something, on the explanations topic."""

from __future__ import annotations

from streams.explainer.run import ExplainerSettings, run

__all__ = ["ExplainerSettings", "run"]
