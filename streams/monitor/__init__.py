"""Live monitoring: a faust process over the feature log and the outcomes, with a web view.

The figures (``state`` and what it is made of) know nothing of faust or Kafka; ``app`` feeds them.
"""

from __future__ import annotations

from streams.monitor.run import MonitorSettings, run

__all__ = ["MonitorSettings", "run"]
