"""Which pipeline file is meant, and how local secrets are kept."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from console.pipeline_file import find_config, open_pipeline, use_local_secrets
from feature_store.errors import ConfigError

SHIPPED = Path(__file__).resolve().parents[3] / "config" / "payments.yaml"
KEY = "SLUICEGATE_CONTROL_KEY"


@pytest.fixture(autouse=True)
def _without_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, "taken out again at the end")
    monkeypatch.delenv(KEY)


def test_named_file_first_then_here_then_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_config(Path("own.yaml")) == Path("own.yaml")
    assert find_config(None) == SHIPPED
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "payments.yaml").touch()
    assert find_config(None) == Path("config/payments.yaml")


def test_key_is_drawn_once_and_only_its_owner_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = open_pipeline(SHIPPED, tmp_path).outcomes.control_group.key
    assert len(first) == 64
    kept = tmp_path / "secrets.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    monkeypatch.delenv(KEY)
    assert open_pipeline(SHIPPED, tmp_path).outcomes.control_group.key == first


def test_environment_wins_and_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, "given")
    assert open_pipeline(SHIPPED, tmp_path).outcomes.control_group.key == "given"
    assert list(tmp_path.iterdir()) == []


def test_only_keys_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNING_KEY", "")
    monkeypatch.delenv("SIGNING_KEY")
    config = tmp_path / "p.yaml"
    client = "kafka: {ssl.key.pem: '${CLIENT_KEY}'}\n"
    config.write_text("a: ${DATABASE_PASSWORD}\nb: ${SIGNING_KEY}\n" + client)
    use_local_secrets(config, tmp_path)
    assert list(json.loads((tmp_path / "secrets.json").read_text())) == ["SIGNING_KEY"]
    assert "DATABASE_PASSWORD" not in os.environ


def test_damaged_secrets_are_named_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text("{")
    with pytest.raises(ConfigError, match=r"secrets\.json: not valid JSON; repair it"):
        use_local_secrets(SHIPPED, tmp_path)
