"""The one door to APScheduler: the cron line, kept on either clock."""

from __future__ import annotations

from training.keeper.schedule.schedule import Schedule, check_schedule, coming
from training.keeper.schedule.ticked import Due

__all__ = ["Due", "Schedule", "check_schedule", "coming"]
