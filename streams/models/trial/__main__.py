"""`python -m streams.models.trial FAMILY SECONDS`: try the artifact on standard input.

Both libraries end their process on some damaged models; better this one than a scorer. The answer, a
``TrialResult`` in MessagePack, is all that standard output carries: what the libraries print goes to standard
error.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from pathlib import Path

import msgspec

_MOST_MEMORY = 8 << 30  # bytes of address space: a count in a damaged artifact may ask for any
_ROOM = 2 << 30
_PER_BYTE = 64
"""What a model may take beyond the libraries: so much, and this many times its own size."""


def main(family: str, seconds: str) -> None:
    """Answer on what was standard output. Ends by SIGALRM after ``seconds``, parent or no parent."""
    signal.alarm(int(seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _limit_memory(_MOST_MEMORY)
    os.nice(5)  # the scorer's work comes first
    answer = os.dup(1)
    os.dup2(2, 1)
    from streams.models.trial.work import tried  # noqa: PLC0415  (loads the model libraries)

    artifact = sys.stdin.buffer.read()
    _limit_memory(min(_address_space() + _ROOM + _PER_BYTE * len(artifact), _MOST_MEMORY))
    result = tried(family, artifact)
    with os.fdopen(answer, "wb") as out:
        out.write(msgspec.msgpack.encode(result))


def _limit_memory(most: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _address_space() -> int:
    """What this process has of it by now; all it may have where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:
        return _MOST_MEMORY
    return pages * resource.getpagesize()


if __name__ == "__main__":
    main(*sys.argv[1:])
