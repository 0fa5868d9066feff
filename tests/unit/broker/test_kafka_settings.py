from __future__ import annotations

from pathlib import Path

import pytest

from streams.broker import BrokerStartError
from streams.broker.kafka_settings import write_properties


def test_the_properties_name_both_ports_on_loopback_alone(tmp_path: Path) -> None:
    path = tmp_path / "server.properties"
    write_properties(path, tmp_path / "data", port=20001, controller_port=20002)
    lines = path.read_text().splitlines()
    assert "listeners=BROKER://127.0.0.1:20001,CONTROLLER://127.0.0.1:20002" in lines
    assert "advertised.listeners=BROKER://127.0.0.1:20001" in lines
    assert "controller.quorum.voters=1@127.0.0.1:20002" in lines


def test_a_folder_with_any_letters_is_written_as_java_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "server.properties"
    write_properties(path, Path("/home/jürgen 𝄞/a\\b"), port=1, controller_port=2)
    assert "log.dirs=/home/j\\u00fcrgen \\ud834\\udd1e/a\\\\b" in path.read_text().splitlines()


def test_a_folder_that_kafka_would_take_for_two_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokerStartError, match=r"/a,b: its name has a comma"):
        write_properties(tmp_path / "server.properties", Path("/a,b"), port=1, controller_port=2)
