"""Which Apache Kafka is run: the one in KAFKA_HOME, else the pinned jars."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from streams.broker.errors import KafkaUnavailableError
from streams.broker.jars import KAFKA_VERSION, pinned_jars
from streams.broker.java import Java, find_java

if TYPE_CHECKING:
    from collections.abc import Callable

_OLDEST_MAJOR = 4
_CORE_JAR = re.compile(r"kafka_2\.\d+-((\d+)\.\d[\w.]*)\.jar")


@dataclass(frozen=True)
class Installation:
    """Everything needed to run Apache Kafka; `archive` is where its classes are kept parsed."""

    version: str
    java: Java
    jars: tuple[Path, ...]
    archive: Path | None


def find_kafka(cache: Path, progress: Callable[[str], None]) -> Installation:
    """Return a Kafka that can run here; raises KafkaUnavailableError or JarMismatchError."""
    java = find_java()
    home = os.environ.get("KAFKA_HOME")
    if home:
        version, jars = jars_in_home(Path(home))
        return Installation(version, java, jars, archive=None)
    jars = tuple(pinned_jars(cache, progress))
    archive = jars[0].with_name(f"classes-java-{java.version}.jsa")
    return Installation(KAFKA_VERSION, java, jars, archive)


def jars_in_home(home: Path) -> tuple[str, tuple[Path, ...]]:
    """Return version and jars of an unpacked Apache Kafka; raises KafkaUnavailableError."""
    jars = tuple(sorted((home / "libs").glob("*.jar")))
    matches = [match for jar in jars if (match := _CORE_JAR.fullmatch(jar.name))]
    if not matches:
        raise KafkaUnavailableError(
            f"KAFKA_HOME is {home}, but {home / 'libs'} has no kafka_2.13-VERSION.jar. Point it at"
            " an unpacked Apache Kafka 4, or unset it"
        )
    version = matches[0].group(1)
    if int(matches[0].group(2)) < _OLDEST_MAJOR:
        raise KafkaUnavailableError(
            f"KAFKA_HOME is {home}, which is Apache Kafka {version}; {_OLDEST_MAJOR} or newer is"
            " needed. Point it at one, or unset it"
        )
    return version, jars
