"""``bench``: the project's own benchmarks, in a checkout; a wheel does not hold them."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

_CHECKOUT = Path(__file__).resolve().parents[2]


def register(app: typer.Typer) -> None:
    """Add the command to ``app``, where there are benchmarks."""
    if (_CHECKOUT / "benchmarks" / "__main__.py").is_file():
        app.command(epilog="Example: sluicegate bench step")(bench)


def bench(
    names: Annotated[list[str] | None, typer.Argument(help="which (default: all of them)")] = None,
) -> None:
    """Run the benchmarks; compare ratios of one run, not times of two."""
    command = [sys.executable, "-m", "benchmarks", *(names or [])]
    raise typer.Exit(subprocess.run(command, cwd=_CHECKOUT, check=False).returncode)
