"""What a process loads is most of its start: nothing that it does not use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = """
import contextlib, os, sys
from console.cli import main
sys.argv[1:] = ["--version"]
with contextlib.suppress(SystemExit):
    main()
import {modules}
{more}
print([name for name in {unwanted} if sys.modules.get(name)])
"""
LEARNING = ("lightgbm", "xgboost", "scipy", "numba")
NEVER = ("sklearn", "pandas", "matplotlib", "optuna", "rich.traceback")
KERNELS = """
from feature_store.engine.warm import warm
from streams.models.trees.warm import warm as warm_trees
warm()
warm_trees()
"""
"""Compiled, or loaded where they are compiled already."""


def loaded(modules: str, unwanted: tuple[str, ...], more: str = "") -> str:
    """Which of ``unwanted`` a process has that imports ``modules`` and runs ``more``."""
    program = PROGRAM.format(modules=modules, unwanted=unwanted, more=more)
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("modules", "unwanted"),
    [
        ("streams.scorer.loop, streams.scorer.run", ("faust", "sqlalchemy", "starlette", "uvicorn")),
        ("streams.explainer.loop, streams.explainer.run", ("faust", "sqlalchemy", "starlette", "uvicorn")),
        ("streams.monitor, streams.monitor.app", ("sqlalchemy", *LEARNING)),
        ("console.rollout, console.system, console.soundness", ("faust", "sqlalchemy", *LEARNING)),
        ("training.keeper.service, console.web", ("faust", *LEARNING)),
        ("training.trainer.run", ("faust", "sqlalchemy", "starlette", "uvicorn")),
    ],
    ids=["scorer", "explainer", "monitor", "up", "keeper", "trainer"],
)
def test_a_process_loads_nothing_that_it_does_not_use(modules: str, unwanted: tuple[str, ...]) -> None:
    assert loaded(modules, (*NEVER, *unwanted)) == "[]"


def test_compiled_kernels_come_without_the_compiler() -> None:
    # The first process has compiled them where nobody had.
    loaded("streams.scorer.loop", (), KERNELS)
    compiler = ("numba.np.arraymath", "numba.np.linalg", "scipy.linalg", "cffi")
    assert loaded("feature_store.store, streams.models.trees.walk", compiler, KERNELS) == "[]"
