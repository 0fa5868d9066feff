"""``python -m training.trainer RUN_FOLDER --config FILE``: one training run in a process of its own.

Progress goes to standard output, one JSON object a line; everything else goes to standard error. Exit code 0
means that ``result.json`` holds a verdict, whatever it is.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import structlog

from feature_store.declaration.load import load_pipeline
from feature_store.errors import SluicegateError

if TYPE_CHECKING:
    from training.trainer.run import Tell

_NICE = 10
"""The scorers on the same machine come first: nobody waits for a fit."""


def main(arguments: list[str] | None = None) -> int:
    """Run the training; the exit code of the error where it fails."""
    parser = argparse.ArgumentParser(prog="python -m training.trainer", description=__doc__)
    parser.add_argument("run_folder", type=Path, help="the folder with request.json and snapshot/")
    parser.add_argument("--config", type=Path, required=True, help="the pipeline file")
    chosen = parser.parse_args(arguments)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    os.nice(_NICE)
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before a library starts its workers
    from training.trainer.run import run_training  # noqa: PLC0415  (loads the model libraries)

    try:
        run_training(chosen.run_folder, load_pipeline(chosen.config).deciding, _progress_lines())
    except SluicegateError as error:
        structlog.get_logger().error("training_failed", why=str(error))
        return error.exit_code
    return 0


def _progress_lines() -> Tell:
    """Write to standard output, and turn what the libraries print there to standard error."""
    lines = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def tell(step: str, **numbers: float) -> None:
        lines.write(msgspec.json.encode({"event": "training_progress", "step": step, **numbers}) + b"\n")

    return tell


if __name__ == "__main__":
    sys.exit(main())
