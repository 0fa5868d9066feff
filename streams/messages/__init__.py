"""Messages that cross process boundaries, as typed structs with one codec."""

from __future__ import annotations

from streams.messages.alert import Alert
from streams.messages.decision import Amended, Decision, Reason, Source
from streams.messages.delta import OutcomeDelta
from streams.messages.model import (
    ArtifactInfo,
    Calibration,
    FeatureRef,
    Knot,
    Manifest,
    Recipe,
    Release,
    Signature,
)
from streams.messages.outcome import Label, Outcome
from streams.messages.policy import EntityList, ListEntry, PolicyDocument, PolicyRule, Snooze, Thresholds

__all__ = [
    "Alert",
    "Amended",
    "ArtifactInfo",
    "Calibration",
    "Decision",
    "EntityList",
    "FeatureRef",
    "Knot",
    "Label",
    "ListEntry",
    "Manifest",
    "Outcome",
    "OutcomeDelta",
    "PolicyDocument",
    "PolicyRule",
    "Reason",
    "Recipe",
    "Release",
    "Signature",
    "Snooze",
    "Source",
    "Thresholds",
]
