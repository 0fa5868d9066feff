"""Following one training run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from feature_store.errors import ContractError

if TYPE_CHECKING:
    from training.keeper.client import KeeperClient

_OVER = {"passed", "refused", "failed"}
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
