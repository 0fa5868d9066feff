"""From an artifact to the packed form, here or in a child process that may die of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from feature_store.errors import ContractError
from streams.models.trees.pack import DAMAGED, NUMBERLESS, pack
from streams.models.trees.splits import UnpackableError
from streams.models.trees.wire import PackedBytes, from_bytes, is_sound

if TYPE_CHECKING:
    from streams.models.engine import NativeEngine
    from streams.models.trees.forest import Packed

TRIAL = (sys.executable, "-m", "streams.models.trial")
TRIAL_S = 60
"""How long a trial may take, in seconds."""

_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV", "TMPDIR")
"""The only environment a trial sees: an artifact gets near no secret."""
_GRACE_S = 5


class TrialResult(msgspec.Struct):
    """What a trial writes: the packed form, or why there is none, or why the model is refused."""

    packed: PackedBytes | None = None
    unpackable: str = ""
    refused: str = ""


def pack_here(native: NativeEngine, artifact: bytes) -> Packed:
    """The packed form of a loaded model.

    Raises UnpackableError for what the packed walk does not cover, ContractError for trees that lead nowhere:
    their own library might never come back from them.
    """
    try:
        packed = pack(native.splits(artifact))
    except IndexError as error:
        raise ContractError(DAMAGED) from error
    except (ValueError, LookupError, ArithmeticError) as error:
        raise UnpackableError(f"its trees are not understood: {error!r}") from error
    if packed.features != native.features or not is_sound(packed):
        raise ContractError(DAMAGED)
    if not np.isfinite(packed.forest.leaves).all():
        raise ContractError(NUMBERLESS)
    return packed


def pack_in_child(family: str, artifact: bytes, limit_s: int = TRIAL_S) -> Packed:
    """Load, pack and run the artifact in a process of its own first: a damaged one can kill the process.

    Raises ContractError when the library refuses it, dies of it or takes longer than ``limit_s`` seconds,
    UnpackableError when it is sound but the packed walk does not cover it.
    """
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    command = [*TRIAL, family, str(limit_s)]
    try:
        done = subprocess.run(
            command,
            input=artifact,
            capture_output=True,
            env=environment,
            timeout=limit_s + _GRACE_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ContractError(f"loading it took longer than {limit_s} s") from error
    except OSError as error:
        raise ContractError(f"no process to try it in could be started: {error}") from error
    if done.returncode != 0:
        raise ContractError(_death(done, limit_s))
    try:
        result = msgspec.msgpack.decode(done.stdout, type=TrialResult)
    except msgspec.MsgspecError as error:
        raise ContractError(f"the trial's answer is malformed: {error}") from error
    if result.refused:
        raise ContractError(result.refused)
    if result.packed is None:
        raise UnpackableError(result.unpackable)
    return from_bytes(result.packed)


def _death(done: subprocess.CompletedProcess[bytes], limit_s: int) -> str:
    if done.returncode == -signal.SIGALRM:
        return f"loading it took longer than {limit_s} s"
    if done.returncode < 0:
        return f"its library dies of it ({signal.Signals(-done.returncode).name})"
    said = done.stderr.decode(errors="replace").strip().splitlines() or ["nothing"]
    return f"the process that tried it ended with status {done.returncode}: {said[-1]}"
