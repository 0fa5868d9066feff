"""Following one training run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from feature_store.errors import ContractError
from feature_store.units import to_text

if TYPE_CHECKING:
    from training.keeper.client import KeeperClient

PASSED = {"passed", "dry_passed"}
_OVER = PASSED | {"refused", "failed"}
_ASK_SECONDS = 0.5


def await_run(keeper: KeeperClient, run_id: str) -> dict[str, Any]:
    """The run when it is over; how long that takes is limited by training.time_limit of the pipeline."""
    while True:
        run = next((run for run in keeper.runs() if run["run_id"] == run_id), None)
        if run is None:
            raise ContractError(f"the keeper no longer knows training run {run_id}")
        if run["state"] in _OVER:
            return run
        time.sleep(_ASK_SECONDS)


def words(run: dict[str, Any]) -> str:
    """What came of it."""
    result = run["result"] or {}
    lines = [f"training run {run['run_id']}: {run['state']}"]
    reasons = result.get("reasons") or ([run["detail"]] if run["detail"] else [])
    lines += [f"  {reason}" for reason in reasons]
    for name, value in result.get("metrics", {}).items():
        champion = result.get("champion_metrics", {}).get(name)
        lines.append(f"  {name}: {value:.4g}" + ("" if champion is None else f" (champion {champion:.4g})"))
    return "\n".join(lines)


def told(runs: list[dict[str, Any]], status: dict[str, Any]) -> dict[str, Any]:
    """What `sluicegate runs --json` prints: the runs, oldest first, and what comes next."""
    return {
        "runs": [_short(run) for run in runs],
        "running": status["training"],
        "next_run": _time(status["next_run"]),
        "schedule": status["schedule"],
    }


def listed(found: dict[str, Any]) -> str:
    """A line a run, its reasons below it, and when the next is due."""
    lines: list[str] = []
    for run in found["runs"]:
        drill = "  dry run" * run["dry"] + "  shuffled labels" * run["shuffle_labels"]
        drill += "  data trusted" * run["trust_data"]
        cause = f": {run['cause']}" if run["cause"] else ""
        lines.append(
            f"{run['run_id']}  {run['state']:<10}  as of {run['as_of'][:19]}  {run['why']}{cause}{drill}"
        )
        lines += [f"    {reason}" for reason in run["reasons"]]
    schedule = found["schedule"]
    coming = found["next_run"] or "when time is known"
    lines.append(f"next: {coming[:19]} by {schedule['cron']!r} in {schedule['time_zone']}")
    return "\n".join(lines)


def _short(run: dict[str, Any]) -> dict[str, Any]:
    result = run["result"] or {}
    kept = ("run_id", "state", "why", "cause", "dry", "shuffle_labels", "trust_data", "attempts", "champion")
    return {name: run[name] for name in kept} | {
        "as_of": _time(run["as_of"]),
        "verdict": result.get("verdict"),
        "reasons": result.get("reasons") or ([run["detail"]] if run["detail"] else []),
        "metrics": result.get("metrics", {}),
    }


def _time(micros: int | None) -> str | None:
    return None if micros is None else to_text(micros)
