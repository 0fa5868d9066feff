"""`python -m tests.fuzz.one TARGET FOLDER SECONDS ENGINE`: fuzz one reader until the time is over.

A process of its own, since a reader may end it. What it found stands in FOLDER/told.json.
"""

from __future__ import annotations

import importlib
import logging
import random
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from tests.fuzz.target import Ready, Target
    from tests.fuzz.watch import Watch

_INSTRUMENTED = ["feature_store", "streams", "training", "console", "yaml", "fastavro"]
_ROOT = Path(__file__).resolve().parents[2]
_INPUT_TIMEOUT_S = 20
_MEMORY_MB = 4_096


def main(name: str, folder: str, seconds: str, engine: str) -> None:
    """Fuzz. What is a finding does not end it, unless it ends the process."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    where = Path(folder)
    if engine == "atheris":
        _with_atheris(name, where, int(seconds))
    else:
        _with_changes(name, where, int(seconds))


def _with_atheris(name: str, folder: Path, seconds: int) -> None:
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=_INSTRUMENTED, exclude=_compiled_modules()):
        target, ready, watch = _prepared(name, folder)
    corpus = folder / "corpus"
    corpus.mkdir(exist_ok=True)
    for number, seed in enumerate(ready.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    words = folder / "words"
    words.write_text("".join(f"{_quoted(word)}\n" for word in ready.words or [b"\0"]), encoding="ascii")
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={max(target.longest, *map(len, ready.seeds))}",
        f"-timeout={_INPUT_TIMEOUT_S}",
        f"-rss_limit_mb={_MEMORY_MB}",
        f"-artifact_prefix={folder}/unit-",
        f"-dict={words}",
        "-verbosity=0",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], watch.feed)
    atheris.Fuzz()


def _compiled_modules() -> list[str]:
    """What Numba compiles must be as it was written."""
    files = [*(_ROOT / "feature_store").rglob("*.py"), *(_ROOT / "streams" / "models").rglob("*.py")]
    names = [".".join(file.relative_to(_ROOT).with_suffix("").parts) for file in files if _is_compiled(file)]
    return [name.removesuffix(".__init__") for name in names]


def _is_compiled(file: Path) -> bool:
    return file.parent.name == "engine" or "engine.compiled import" in file.read_text(encoding="utf-8")


def _with_changes(name: str, folder: Path, seconds: int) -> None:
    from tests.fuzz.mutate import mutated  # noqa: PLC0415

    target, ready, watch = _prepared(name, folder)
    until, chance = time.monotonic() + seconds, random.Random(watch.told.inputs)
    while time.monotonic() < until:
        watch.feed(mutated(chance, ready.seeds, ready.words, target.longest))
    watch.tell()


def _prepared(name: str, folder: Path) -> tuple[Target, Ready, Watch]:
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415  (instrumented as it is read)
    from tests.fuzz.watch import Watch  # noqa: PLC0415

    target = TARGETS[name]
    work = folder / "work"
    work.mkdir(parents=True, exist_ok=True)
    ready = target.prepare(work)
    return target, ready, Watch(ready, folder)


def _quoted(word: bytes) -> str:
    return '"' + "".join(f"\\x{byte:02x}" for byte in word) + '"'


if __name__ == "__main__":
    main(*sys.argv[1:])
