"""An environment of its own for each peer, with the versions that its file of requirements pins."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

PEERS = {"faust": "faust-streaming", "quix": "quixstreams", "bytewax": "bytewax", "pathway": "pathway"}
"""Name -> distribution."""
_REQUIREMENTS = Path(__file__).parent / "requirements"


class NotInstalledError(Exception):
    """A peer cannot be had on this machine."""


def python_of(peer: str) -> Path:
    """The interpreter of a peer's environment, made when first asked for. Raises NotInstalledError."""
    requirements = _REQUIREMENTS / f"{peer}.txt"
    cache = Path(os.environ.get("SLUICEGATE_CACHE") or ".sluicegate").absolute()
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = cache / "benchmarks" / f"{peer}-{digest}"
    python, made = folder / "bin" / "python", folder / "made"
    if not made.exists():
        print(f"making the environment of {peer}", file=sys.stderr, flush=True)
        _uv("venv", "--clear", "--python", sys.executable, str(folder))
        _uv("pip", "install", "--python", str(python), "--requirement", str(requirements))
        made.touch()
    return python


def version_of(peer: str) -> str:
    """As pinned."""
    pins = (_REQUIREMENTS / f"{peer}.txt").read_text(encoding="utf-8").splitlines()
    found = [pin.split(" ")[0].split("==")[1] for pin in pins if pin.startswith(f"{PEERS[peer]}==")]
    return found[0]


def _uv(*arguments: str) -> None:
    try:
        importlib.metadata.version("uv")
    except importlib.metadata.PackageNotFoundError:
        raise NotInstalledError("uv is missing; `make install` installs it") from None
    command = [sys.executable, "-m", "uv", "--quiet", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise NotInstalledError(done.stderr.strip()[-500:])
