"""The jars of Apache Kafka: resolved by Maven, pinned by name and SHA-256, kept in a cache.

`jars.sha256` beside this file pins them, in the format of `sha256sum`; `pin.py` writes it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from streams.broker.errors import JarMismatchError, KafkaUnavailableError
from streams.broker.state_lock import exclusive

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

KAFKA_VERSION = "4.1.1"
PINS = Path(__file__).with_name("jars.sha256")
_POM = Path(__file__).with_name("kafka-pom.xml")
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
_RESOLVE_SECONDS = 900
_CURE = (
    "Install Maven (the command mvn) so that Apache Kafka's jars can be resolved, or set"
    " KAFKA_HOME to an unpacked Apache Kafka 4, or set the broker to embedded or to host:port"
)


def default_cache() -> Path:
    """Return the folder for what is resolved once: SLUICEGATE_CACHE, else ./.sluicegate."""
    return Path(os.environ.get("SLUICEGATE_CACHE") or Path.cwd() / ".sluicegate")


def kafka_folder(cache: Path) -> Path:
    """Return where the pinned Apache Kafka lives in the cache."""
    return cache / "kafka" / KAFKA_VERSION


def pinned_jars(cache: Path, progress: Callable[[str], None]) -> list[Path]:
    """Return the verified jars, resolving them where the cache has none.

    Raises KafkaUnavailableError where Maven is missing or fails, JarMismatchError where a jar is
    not the pinned one.
    """
    folder = kafka_folder(cache)
    pins = read_pins(PINS)
    with exclusive(folder / "lock", wait_seconds=_RESOLVE_SECONDS):
        libs = folder / "libs"
        if not libs.is_dir():
            progress(f"resolving Apache Kafka {KAFKA_VERSION} with Maven (first time only)…")
            _resolve_and_move(libs, pins)
        verify(libs, pins, stamp=folder / "verified.json")
    return [libs / name for name in pins]


def read_pins(path: Path) -> dict[str, str]:
    """Return SHA-256 by jar name."""
    lines = path.read_text(encoding="ascii").splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def verify(libs: Path, pins: Mapping[str, str], stamp: Path) -> None:
    """Check every pinned jar; raises JarMismatchError naming the first wrong one.

    Jars whose size, time of change and pin are those of the last check, kept in `stamp`, are not
    read again.
    """
    seen = {name: _fingerprint(libs / name, digest) for name, digest in pins.items()}
    if stamp.is_file() and json.loads(stamp.read_text(encoding="ascii")) == seen:
        return
    for name, digest in pins.items():
        found = sha256(libs / name)
        if found != digest:
            raise JarMismatchError(
                f"{libs / name} has SHA-256 {found}, but {digest} is pinned in {PINS.name}."
                f" Remove {libs} to resolve it again; if it stays so, the repository that Maven"
                " uses serves another file: do not run it"
            )
    stamp.write_text(json.dumps(seen), encoding="ascii")


def sha256(path: Path) -> str:
    """Return the digest of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fingerprint(jar: Path, digest: str) -> list[str | int]:
    try:
        status = jar.stat()
    except FileNotFoundError:
        raise JarMismatchError(f"{jar} is missing. Remove {jar.parent} to resolve all jars again") from None
    return [digest, status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _resolve_and_move(libs: Path, pins: Mapping[str, str]) -> None:
    """Resolve beside the final place and move at the end: a half resolved folder is never seen."""
    with tempfile.TemporaryDirectory(dir=libs.parent) as scratch:
        resolved = Path(scratch) / "libs"
        resolve(resolved)
        verify(resolved, pins, stamp=Path(scratch) / "verified.json")
        resolved.rename(libs)


def resolve(target: Path) -> None:
    """Copy Kafka and its dependencies to `target`; raises KafkaUnavailableError."""
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaUnavailableError(f"Maven was not found on PATH. {_CURE}")
    command: Sequence[str] = (
        *(maven, "--batch-mode", "--quiet", "--file", str(_POM), _COPY),
        *("-DincludeScope=runtime", f"-DoutputDirectory={target.absolute()}"),
    )
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_RESOLVE_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise KafkaUnavailableError(
            f"Maven did not resolve Apache Kafka within {_RESOLVE_SECONDS} s. Run"
            f" `{' '.join(command)}` to see why. {_CURE}"
        ) from error
    if done.returncode:
        output = "\n".join((done.stdout + done.stderr).strip().splitlines()[:12])
        raise KafkaUnavailableError(
            f"Maven could not resolve Apache Kafka {KAFKA_VERSION}: check its settings (mirrors,"
            f" proxy) and the network. It said:\n{output}\n{_CURE}"
        )
