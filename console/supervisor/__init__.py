"""Child processes on one machine: started, watched, started again, stopped in order, one log."""

from __future__ import annotations

from console.supervisor.group import Supervisor
from console.supervisor.logbook import LogBook
from console.supervisor.spec import AnswersAt, ProcessSpec, RestartPolicy, SaysReady, State

__all__ = ["AnswersAt", "LogBook", "ProcessSpec", "RestartPolicy", "SaysReady", "State", "Supervisor"]
