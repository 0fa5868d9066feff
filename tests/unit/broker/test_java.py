from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streams.broker import KafkaUnavailableError
from streams.broker.java import Java, find_java, parse_version

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime', ("17.0.15", 17)),
        ('java version "1.8.0_392"', ("1.8.0_392", 8)),
        ('openjdk version "21" 2023-09-19', ("21", 21)),
        ('openjdk version "26-ea" 2026-03-17', ("26-ea", 26)),
        ('Picked up JAVA_TOOL_OPTIONS: -Dx\nopenjdk version "25.0.1"', ("25.0.1", 25)),
        ("The operation couldn't be completed. Unable to locate a Java Runtime.", None),
    ],
)
def test_version_of_java(text: str, expected: tuple[str, int] | None) -> None:
    assert parse_version(text) == expected


def _fake_java(home: Path, script: str) -> Path:
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    return program


def test_java_home_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = _fake_java(tmp_path, "echo 'openjdk version \"21.0.4\"' >&2")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert find_java() == Java(program, "21.0.4", 21)


def test_missing_java_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KafkaUnavailableError, match=r"not found on PATH.*Install Java 17 or newer"):
        find_java()


def test_java_home_without_java_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(KafkaUnavailableError, match=r"JAVA_HOME is .*does not exist"):
        find_java()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 'java version \"11.0.2\"' >&2", r"is Java 11\.0\.2; Apache Kafka 4 needs 17"),
        ("echo nothing", r"does not tell its version"),
        ("exit 1", r"does not run"),
    ],
)
def test_unfit_java(script: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_java(tmp_path, script)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(KafkaUnavailableError, match=message):
        find_java()
