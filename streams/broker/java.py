"""Find a Java that can run Apache Kafka."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from streams.broker.errors import KafkaUnavailableError

OLDEST = 17
_CURE = (
    f"Install Java {OLDEST} or newer (a JRE is enough) and put it on PATH or in JAVA_HOME, or set"
    " the broker to embedded or to the host:port of a running Kafka"
)
_ANSWER_SECONDS = 30
_VERSION = re.compile(r'version "((?:1\.)?(\d+)[^"]*)"')


@dataclass(frozen=True)
class Java:
    """A Java runtime: version such as 21.0.4, feature release such as 21."""

    program: Path
    version: str
    release: int


def find_java() -> Java:
    """Return the Java of JAVA_HOME, else of PATH; raises KafkaUnavailableError with the cure."""
    program = _program()
    try:
        answer = subprocess.run(
            [str(program), "-version"],
            capture_output=True,
            text=True,
            check=True,
            timeout=_ANSWER_SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise KafkaUnavailableError(f"{program} does not run: {error}. {_CURE}") from error
    found = parse_version(answer.stderr + answer.stdout)
    if found is None:
        raise KafkaUnavailableError(f"{program} does not tell its version. {_CURE}")
    version, release = found
    if release < OLDEST:
        raise KafkaUnavailableError(
            f"{program} is Java {version}; Apache Kafka 4 needs {OLDEST} or newer. {_CURE}"
        )
    return Java(program, version, release)


def parse_version(text: str) -> tuple[str, int] | None:
    """Return version and feature release in the output of `java -version`, None if not there."""
    match = _VERSION.search(text)
    return (match.group(1), int(match.group(2))) if match else None


def _program() -> Path:
    home = os.environ.get("JAVA_HOME")
    if home:
        program = Path(home) / "bin" / "java"
        if program.is_file():
            return program
        raise KafkaUnavailableError(f"JAVA_HOME is {home}, but {program} does not exist. {_CURE}")
    found = shutil.which("java")
    if found is None:
        raise KafkaUnavailableError(f"Java was not found on PATH, and JAVA_HOME is not set. {_CURE}")
    return Path(found)
