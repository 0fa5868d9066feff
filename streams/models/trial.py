"""`python -m streams.models.trial FAMILY SECONDS`: load the artifact on standard input, run it, pack it.

LightGBM ends its process on some damaged texts; better this one than a scorer. The answer, a ``TrialResult``
in MessagePack, is all that standard output carries: what the libraries print goes to standard error.
"""

from __future__ import annotations

import os
import resource
import signal
import sys

import msgspec
import numpy as np

from feature_store.errors import ContractError
from streams.models.engine import native_engine
from streams.models.packing import TrialResult, pack_here
from streams.models.trees.probes import probe_rows
from streams.models.trees.splits import UnpackableError
from streams.models.trees.wire import to_bytes


def tried(family: str, artifact: bytes) -> TrialResult:
    """What comes of ``artifact``, if this process lives to tell."""
    try:
        native = native_engine(family, artifact)
    except ContractError as error:
        return TrialResult(refused=str(error))
    try:
        packed = pack_here(native, artifact)
    except UnpackableError as error:
        native.margins(np.zeros((1, native.features)))
        return TrialResult(unpackable=str(error))
    native.margins(probe_rows(packed))
    return TrialResult(packed=to_bytes(packed))


def main(family: str, seconds: str) -> None:
    """Answer on what was standard output. Ends by SIGALRM after ``seconds``, parent or no parent."""
    signal.alarm(int(seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(5)  # the scorer's work comes first
    answer = os.dup(1)
    os.dup2(2, 1)
    result = tried(family, sys.stdin.buffer.read())
    with os.fdopen(answer, "wb") as out:
        out.write(msgspec.msgpack.encode(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
