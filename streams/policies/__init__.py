"""The policy: from scores to actions by money or thresholds, rules, lists, snoozes and the control group."""

from __future__ import annotations

from streams.policies.active import ActivePolicy, compile_policy
from streams.policies.document import default_document

__all__ = ["ActivePolicy", "compile_policy", "default_document"]
