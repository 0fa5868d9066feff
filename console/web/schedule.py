"""The schedule: when training comes next, what every run came to, and a run now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from console.web.run_words import lasting, step_words, until, why_words
from console.web.visitor import Role
from training.keeper.schedule.cron import coming
from training.keeper.snapshot import version_of
from training.keeper.views.run_log import lines_of, steps_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route

    from console.web.routing import Routes
    from console.web.site import Site
    from console.web.visitor import Visitor
    from training.keeper.desk import Desk
    from training.keeper.runs import Run

_A_PAGE = 30
_COMING = 4
_LINES = 60
_LONGEST = 300
_OPEN = {"due", "running"}


def routes(to: Routes) -> list[Route]:
    """The pages and the form that asks for a run."""
    to.site.templates.filters.update(why_words=why_words, step_words=step_words, lasting=lasting)
    return [
        to.page("/schedule", "schedule.html", _all),
        to.page("/schedule/{run_id}", "run.html", _one),
        to.form("/schedule/run", _ask, Role.OPERATOR),
    ]


def _all(site: Site, request: Request, _visitor: Visitor) -> dict[str, Any]:
    desk = site.desk
    runs = desk.runs.all()[::-1]
    before = request.query_params.get("before")
    first = next((at + 1 for at, run in enumerate(runs) if run.run_id == before), 0)
    now, next_run = desk.parts.clock.now(), desk.next_run()
    training = desk.parts.pipeline.training
    return {
        "cron": training.schedule,
        "time_zone": training.time_zone,
        "triggers": training.triggers,
        "now": now,
        "clock": desk.parts.pipeline.clock,
        "next_run": next_run,
        "in_words": until(next_run, now),
        "running": _running(desk, runs),
        "waiting": [run for run in runs if run.state == "due" and run.run_id != desk.trainings.running],
        "coming": coming(training, next_run, _COMING) if next_run else [],
        "runs": [(run, _version(desk, run)) for run in runs[first : first + _A_PAGE]],
        "older": runs[first + _A_PAGE - 1].run_id if len(runs) > first + _A_PAGE else None,
        "asked": _known(runs, request.query_params.get("asked")),
    }


def _one(site: Site, request: Request, visitor: Visitor) -> dict[str, Any]:
    desk = site.desk
    run_id = request.path_params["run_id"]
    run = _known(desk.runs.all(), run_id)
    if run is None:
        raise LookupError(f"there is no training run {run_id!r}")
    folder = desk.parts.run_folder(run.run_id)
    result = run.result
    ours, theirs = (result.metrics, result.champion_metrics) if result is not None else ({}, {})
    return {
        "run": run,
        "version": _version(desk, run),
        "going": run.state in _OPEN,
        "steps": steps_of(folder),
        "lines": lines_of(folder)[-_LINES:] if visitor.may(Role.ANALYST) else [],
        "metrics": [(name, value, theirs.get(name)) for name, value in sorted(ours.items())],
        "checks": result.checks if result is not None else [],
    }


def _ask(site: Site, visitor: Visitor, _path: dict[str, str], fields: dict[str, str]) -> str:
    desk = site.desk
    reason = fields.get("reason", "").strip()
    if len(reason) > _LONGEST:
        raise ValueError(f"Say why in at most {_LONGEST} characters.")
    drill = {"dry": "dry" in fields, "trust_data": "trust_data" in fields}
    cause = f"by {visitor.name}: {reason}" if reason else f"by {visitor.name}"
    run = desk.ask_for_run(cause=cause, **drill)
    after = {"as_of": run.as_of, "cause": cause, **drill}
    desk.audit.note(visitor.name, visitor.role, "console", "train", run.run_id, None, after)
    return f"/schedule?asked={run.run_id}"


def _running(desk: Desk, runs: list[Run]) -> dict[str, Any] | None:
    run = _known(runs, desk.trainings.running)
    if run is None:
        return None
    return {"run": run, "steps": steps_of(desk.parts.run_folder(run.run_id))}


def _version(desk: Desk, run: Run) -> str | None:
    """The version that it made, where it was more than a drill."""
    ended = run.state in {"passed", "refused"} and not run.dry
    return version_of(run, desk.parts.pipeline) if ended else None


def _known(runs: list[Run], run_id: str | None) -> Run | None:
    return next((run for run in runs if run.run_id == run_id), None)
