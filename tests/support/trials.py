"""`python -m tests.support.trials`: try many artifacts, each in a process as `streams.models.trial` is one.

The libraries are loaded once, and every trial is a fork of it: a start takes a second, these are dozens.
Standard input and output are MessagePack.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

REPOSITORY = Path(__file__).resolve().parents[2]


class Tried(NamedTuple):
    """What became of a trial; ``mebibytes`` is the most memory that it held."""

    status: int
    answer: bytes
    said: bytes
    mebibytes: float


def tried_in_children(artifacts: list[tuple[str, bytes]], limit_s: int) -> list[Tried]:
    """Family and bytes of each, tried one after the other; ``limit_s`` is real time for each."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.trials", str(limit_s)],
        input=msgspec.msgpack.encode(artifacts),
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"},
        check=True,
    )
    return msgspec.msgpack.decode(done.stdout, type=list[Tried])


def _trial(family: str, limit_s: str, files: tuple[BinaryIO, BinaryIO, BinaryIO]) -> None:
    """Be the trial; never returns."""
    from streams.models.trial.__main__ import main  # noqa: PLC0415

    status = 1
    try:
        for number, file in enumerate(files):
            os.dup2(file.fileno(), number)
        sys.stdin = io.TextIOWrapper(io.FileIO(0))
        sys.stderr = io.TextIOWrapper(io.FileIO(2, "w"), write_through=True)
        main(family, limit_s)
        status = 0
    except BaseException:  # noqa: BLE001  (as an interpreter would)
        traceback.print_exc()
    finally:
        os._exit(status)


def _tried(family: str, artifact: bytes, limit_s: str) -> Tried:
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(artifact)
        given.seek(0)
        child = os.fork()
        if child == 0:
            _trial(family, limit_s, (given, out, err))
        _, ended, used = os.wait4(child, 0)
        out.seek(0)
        err.seek(0)
        status = os.waitstatus_to_exitcode(ended)
        return Tried(status, out.read(), err.read()[-10_000:], used.ru_maxrss / 1_024)


def _main(limit_s: str) -> None:
    import streams.models.trial.work  # noqa: F401, PLC0415  (loaded once, for all)

    artifacts = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=list[tuple[str, bytes]])
    answers = [_tried(family, artifact, limit_s) for family, artifact in artifacts]
    sys.stdout.buffer.write(msgspec.msgpack.encode(answers))


if __name__ == "__main__":
    _main(*sys.argv[1:])
