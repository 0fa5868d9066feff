from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from streams.broker import JarMismatchError, KafkaUnavailableError, jars
from streams.broker.jars import PINS, pinned_jars, read_pins, verify
from streams.broker.kafka_home import jars_in_home

PINNED = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("a.jar", "b.jar")}


@pytest.fixture
def libs(tmp_path: Path) -> Path:
    folder = tmp_path / "libs"
    folder.mkdir()
    for name in PINNED:
        (folder / name).write_bytes(name.encode())
    return folder


def test_the_committed_pins_cover_kafka_and_its_logging() -> None:
    pins = read_pins(PINS)
    assert {f"kafka_2.13-{jars.KAFKA_VERSION}.jar", f"kafka-clients-{jars.KAFKA_VERSION}.jar"} < set(pins)
    assert any(name.startswith("log4j-slf4j-impl-") for name in pins)
    assert all(len(digest) == 64 and int(digest, 16) for digest in pins.values())


def test_a_second_check_reads_no_jar_again(
    libs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamp = tmp_path / "verified.json"
    verify(libs, PINNED, stamp)
    monkeypatch.setattr(jars, "sha256", lambda path: pytest.fail(f"read {path} again"))
    verify(libs, PINNED, stamp)


def test_a_changed_jar_is_named(libs: Path, tmp_path: Path) -> None:
    (libs / "b.jar").write_bytes(b"other")
    with pytest.raises(JarMismatchError, match=r"b\.jar has SHA-256 .* is pinned.*Remove"):
        verify(libs, PINNED, tmp_path / "verified.json")


def test_a_jar_changed_after_the_check_is_found_even_with_its_old_size_and_time(
    libs: Path, tmp_path: Path
) -> None:
    stamp = tmp_path / "verified.json"
    verify(libs, PINNED, stamp)
    before = (libs / "b.jar").stat()
    (libs / "b.jar").write_bytes(b"B.jar")
    os.utime(libs / "b.jar", ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(JarMismatchError, match=r"b\.jar"):
        verify(libs, PINNED, stamp)


def test_a_changed_pin_is_checked_in_spite_of_the_stamp(libs: Path, tmp_path: Path) -> None:
    stamp = tmp_path / "verified.json"
    verify(libs, PINNED, stamp)
    with pytest.raises(JarMismatchError, match=r"a\.jar"):
        verify(libs, {**PINNED, "a.jar": "0" * 64}, stamp)


def test_a_missing_jar_is_named(libs: Path, tmp_path: Path) -> None:
    (libs / "a.jar").unlink()
    with pytest.raises(JarMismatchError, match=r"a\.jar is missing"):
        verify(libs, PINNED, tmp_path / "verified.json")


def _fake_maven(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    program = folder / "mvn"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_missing_maven_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    steps: list[str] = []
    with pytest.raises(KafkaUnavailableError, match=r"Maven was not found.*Install Maven.*KAFKA_HOME"):
        pinned_jars(tmp_path / "cache", steps.append)
    assert steps == [f"resolving Apache Kafka {jars.KAFKA_VERSION} with Maven (first time only)…"]


def test_a_failing_maven_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_maven(tmp_path / "bin", "echo '[ERROR] no route'; exit 1", monkeypatch)
    with pytest.raises(KafkaUnavailableError, match=r"(?s)could not resolve.*\[ERROR\] no route"):
        pinned_jars(tmp_path / "cache", lambda _step: None)


def test_a_wrong_jar_from_maven_never_reaches_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pins = tmp_path / "jars.sha256"
    pins.write_text(f"{PINNED['a.jar']}  a.jar\n", encoding="ascii")
    monkeypatch.setattr(jars, "PINS", pins)
    copy = 'for o in "$@"; do case $o in -DoutputDirectory=*) d=${o#*=};; esac; done; mkdir -p "$d"'
    _fake_maven(tmp_path / "bin", f'{copy}; echo evil > "$d/a.jar"', monkeypatch)
    with pytest.raises(JarMismatchError, match=r"a\.jar has SHA-256"):
        pinned_jars(tmp_path / "cache", lambda _step: None)
    assert not list((tmp_path / "cache").rglob("*.jar"))


def test_what_maven_resolved_is_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pins = tmp_path / "jars.sha256"
    pins.write_text(f"{PINNED['a.jar']}  a.jar\n", encoding="ascii")
    monkeypatch.setattr(jars, "PINS", pins)
    copy = 'for o in "$@"; do case $o in -DoutputDirectory=*) d=${o#*=};; esac; done; mkdir -p "$d"'
    _fake_maven(tmp_path / "bin", f'{copy}; printf a.jar > "$d/a.jar"', monkeypatch)
    steps: list[str] = []
    first = pinned_jars(tmp_path / "cache", steps.append)
    assert [jar.read_bytes() for jar in first] == [b"a.jar"]
    (tmp_path / "bin" / "mvn").unlink()
    assert pinned_jars(tmp_path / "cache", steps.append) == first
    assert len(steps) == 1


def test_kafka_home(tmp_path: Path) -> None:
    (tmp_path / "libs").mkdir()
    for name in ("kafka_2.13-4.2.0.jar", "kafka-clients-4.2.0.jar", "readme.txt"):
        (tmp_path / "libs" / name).touch()
    version, found = jars_in_home(tmp_path)
    assert version == "4.2.0"
    assert [jar.name for jar in found] == ["kafka-clients-4.2.0.jar", "kafka_2.13-4.2.0.jar"]


def test_kafka_home_without_kafka(tmp_path: Path) -> None:
    with pytest.raises(KafkaUnavailableError, match=r"KAFKA_HOME is .* has no kafka_2\.13"):
        jars_in_home(tmp_path)


def test_kafka_home_with_an_old_kafka(tmp_path: Path) -> None:
    (tmp_path / "libs").mkdir()
    (tmp_path / "libs" / "kafka_2.13-3.9.1.jar").touch()
    with pytest.raises(KafkaUnavailableError, match=r"Apache Kafka 3\.9\.1; 4 or newer"):
        jars_in_home(tmp_path)


def test_maven_is_told_a_whole_path_since_it_takes_others_from_the_poms_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def ran(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        told.extend(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("shutil.which", lambda _: "mvn")
    monkeypatch.setattr("subprocess.run", ran)
    jars.resolve(Path("here/libs"))
    assert f"-DoutputDirectory={tmp_path / 'here/libs'}" in told
