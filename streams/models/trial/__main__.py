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

import msgspec

_MOST_MEMORY = 8 << 30  # bytes of address space: a count in a damaged artifact may ask for any


def main(family: str, seconds: str) -> None:
    """Answer on what was standard output. Ends by SIGALRM after ``seconds``, parent or no parent."""
    signal.alarm(int(seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    os.nice(5)  # the scorer's work comes first
    answer = os.dup(1)
    os.dup2(2, 1)
    # "Not installed": the libraries' wrappers for scikit-learn are not needed, and two thirds of the start.
    sys.modules["sklearn"] = None  # type: ignore[assignment]
    from streams.models.trial.work import tried  # noqa: PLC0415  (loads the model libraries)

    result = tried(family, sys.stdin.buffer.read())
    with os.fdopen(answer, "wb") as out:
        out.write(msgspec.msgpack.encode(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
