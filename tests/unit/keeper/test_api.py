from __future__ import annotations

import re
import stat
import threading
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from console.cli.app import app
from feature_store.errors import BrokerError, ConfigError
from tests.unit.keeper.past import delta_rows, whole_history
from tests.unit.keeper.written import MINUTE, START, until, write_batches
from training.history.keeper import KeptHistory
from training.keeper.client import KeeperClient, KeeperRefusedError, KeeperUnreachableError
from training.keeper.parts import KeeperSettings
from training.keeper.server import Address
from training.keeper.service import run
from training.publish_policy import PolicyPublisher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline

ROUTES = [
    ("GET", "/status"),
    ("GET", "/runs"),
    ("GET", "/models"),
    ("GET", "/models/v1"),
    ("GET", "/models/v1/card"),
    ("GET", "/metrics/summary"),
    ("GET", "/event?id=e0-1"),
    ("POST", "/train"),
    ("POST", "/models/v1/promote"),
    ("POST", "/models/v1/shadow"),
    ("POST", "/models/v1/unshadow"),
    ("POST", "/rollback"),
    ("GET", "/policy"),
    ("GET", "/policy/history"),
    ("POST", "/policy"),
    ("POST", "/history"),
    ("POST", "/export-history"),
    ("POST", "/backup"),
    ("POST", "/forget"),
]


@pytest.fixture
def keeper(config: Path, bootstrap: str, tmp_path: Path) -> Iterator[Path]:
    """Run a keeper and yield its state folder."""
    state, stop, ended = tmp_path / "state", threading.Event(), threading.Event()

    def work() -> None:
        try:
            run(KeeperSettings(config, bootstrap, state), stop)
        finally:
            ended.set()

    thread = threading.Thread(target=work)
    thread.start()
    until(lambda: (state / "keeper.json").exists() or ended.is_set(), lambda: ended.wait(0.1))
    yield state
    stop.set()
    thread.join()
    assert not (state / "keeper.json").exists()


@pytest.fixture
def address(keeper: Path) -> Address:
    return msgspec.json.decode((keeper / "keeper.json").read_bytes(), type=Address)


@pytest.mark.parametrize("token", [None, "wrong", "Bearer"])
def test_nothing_is_told_or_done_without_the_token(address: Address, token: str | None) -> None:
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    for method, path in ROUTES:
        assert httpx.request(method, address.url + path, headers=headers).status_code == 401, path
    assert httpx.get(f"{address.url}/health").json() == {"status": "ok"}


def test_only_the_owner_can_read_the_token_and_only_this_machine_can_ask(
    keeper: Path, address: Address
) -> None:
    assert stat.S_IMODE((keeper / "keeper.json").stat().st_mode) == 0o600
    assert address.url.startswith("http://127.0.0.1:")


def test_the_status_says_how_far_it_is(keeper: Path, pipeline: Pipeline, bootstrap: str) -> None:
    write_batches(pipeline, bootstrap, 0, batches=2, size=10)
    with KeeperClient(keeper) as client:
        until(lambda: client.status()["rows"]["decisions"] == 40, lambda: threading.Event().wait(0.1))
        until(lambda: not any(client.status()["lag"].values()), lambda: threading.Event().wait(0.1))
        status = client.status()
    assert status["rows"]["scored"] == 40
    assert status["next_run"] > status["clock"]["now"] > 0
    assert status["release"] is None


def test_commands_that_make_no_sense_are_refused_with_the_reason(keeper: Path, address: Address) -> None:
    with KeeperClient(keeper) as client:
        with pytest.raises(KeeperRefusedError, match="nothing has been decided yet"):
            client.train()
        with pytest.raises(KeeperRefusedError, match="no earlier champion"):
            client.rollback()
        with pytest.raises(KeeperRefusedError, match="no model version 'v1'"):
            client.promote("v1")
        with pytest.raises(KeeperRefusedError, match="no model version 'v1'"):
            client.model("v1")
        assert client.summary()["average_precision"] is None
    headers = {"authorization": f"Bearer {address.token}"}
    bad = httpx.post(f"{address.url}/train", headers=headers, content=b'{"shuffle": 1}')
    assert bad.status_code == 400
    huge = httpx.post(f"{address.url}/train", headers=headers, content=b" " * 2_000_000)
    assert huge.status_code == 413


def test_two_keepers_cannot_share_a_state_folder(keeper: Path, config: Path, bootstrap: str) -> None:
    with pytest.raises(BrokerError, match="is in use by process"):
        run(KeeperSettings(config, bootstrap, keeper), threading.Event())


def test_without_a_keeper_the_client_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(KeeperUnreachableError, match="sluicegate up"):
        KeeperClient(tmp_path)


def test_history_goes_in_and_out_through_the_keeper(keeper: Path, pipeline: Pipeline) -> None:
    folder = whole_history(keeper / "history", pipeline, deltas=delta_rows(pipeline))
    with KeeperClient(keeper) as client:
        assert client.import_history(folder) == {"rows": 20, "only_new": None, "again": False}
        assert client.export_history(keeper / "out") == {"pipeline": pipeline.name, "events": 20, "deltas": 0}
        assert client.status()["clock"]["now"] == START - MINUTE
        with pytest.raises(KeeperRefusedError, match="is not inside the state folder"):
            client.import_history(keeper.parent)
        with pytest.raises(KeeperRefusedError, match="is not empty"):
            client.export_history(keeper / "out")
    assert pq.read_table(keeper / "out" / "events.parquet").num_rows == 20


def test_the_history_of_another_pipeline_is_not_taken_for_ones_own(keeper: Path, pipeline: Pipeline) -> None:
    other = pipeline.model_copy(update={"pipeline": "other"})
    with pytest.raises(ConfigError, match=r"runs the pipeline .*, not 'other'; name its .* --config FILE"):
        KeptHistory(other, keeper).export(keeper / "out")


def deny(value: str, **more: object) -> dict[str, Any]:
    edits = [{"edit": "enlist", "kind": "deny", "field": "card", "value": value}]
    return {"edits": edits, "made_by": "ann", "why": f"deny {value}", **more}


def test_the_policy_is_changed_live_and_every_version_is_kept_with_who_and_why(
    keeper: Path, pipeline: Pipeline, bootstrap: str
) -> None:
    with KeeperClient(keeper) as client:
        found = client.policy()
        assert (found["offset"], found["document"]["version"], found["differs_from_file"]) == (-1, 0, False)
        first = client.change_policy(deny("c1"))
        second = client.change_policy(deny("c2", base_version=1))
        assert second["offset"] > first["offset"]
        found = client.policy()
        assert (found["offset"], found["differs_from_file"]) == (second["offset"], True)
        entries = found["document"]["lists"][0]["entries"]
        assert [entry["value"] for entry in entries] == ["c1", "c2"]
        assert [(each["document"]["made_by"], each["document"]["why"]) for each in client.policies()] == [
            ("ann", "deny c1"),
            ("ann", "deny c2"),
        ]
    published = PolicyPublisher(bootstrap, pipeline, str).read()
    assert msgspec.to_builtins(published) == second


def test_a_policy_that_is_unsound_or_out_of_date_is_refused_with_the_reason(
    keeper: Path, address: Address
) -> None:
    who = {"made_by": "ann", "why": "a test"}
    rule = {"name": "bad", "when": "amont > 1", "action": "review"}
    with KeeperClient(keeper) as client:
        client.change_policy(deny("c1"))
        with pytest.raises(KeeperRefusedError, match="amont"):
            client.change_policy(who | {"content": {"rules": [rule]}})
        with pytest.raises(KeeperRefusedError, match="made from version 0, but 1 is in force by now, by ann"):
            client.change_policy(who | {"content": {}, "base_version": 0})
        with pytest.raises(KeeperRefusedError, match="no policy version 9"):
            client.change_policy(who | {"content": {}, "base_version": 9})
        with pytest.raises(KeeperRefusedError, match="unknown keys: content"):
            client.change_policy(who | {"content": {"rules": [rule | {"when": "true", "queu": "a"}]}})
        assert len(client.policies()) == 1
        client.change_policy(who | {"from_file": True})
        assert client.policy()["differs_from_file"] is False
    headers = {"authorization": f"Bearer {address.token}"}
    for body, status in ((b"{", 400), (b"[]", 400), (b'{"made_by": "a", "why": "b"}', 400)):
        assert httpx.post(f"{address.url}/policy", headers=headers, content=body).status_code == status


def _stored(client: KeeperClient) -> tuple[int, int]:
    rows = client.status()["rows"]
    return rows["scored"], rows["decisions"]


def test_a_person_is_forgotten_by_command(keeper: Path, pipeline: Pipeline, bootstrap: str) -> None:
    write_batches(pipeline, bootstrap, 0, batches=1, size=14)
    with KeeperClient(keeper) as client:
        until(lambda: _stored(client) == (28, 28), lambda: threading.Event().wait(0.1))
    command = ["forget", "--entity", "card=c3", "--state-dir", str(keeper)]
    tried = CliRunner().invoke(app, [*command, "--dry-run"])
    assert tried.exit_code == 0, tried.output
    assert tried.output.startswith("4 events from 2026-01-01T00:03:00")
    refused = CliRunner().invoke(app, command, input="n\n")
    assert refused.exit_code == 1
    done = CliRunner().invoke(app, [*command, "--yes"])
    assert done.exit_code == 0, done.output
    assert "deleted from the store: 8 rows" in done.output
    with KeeperClient(keeper) as client:
        assert client.status()["rows"]["scored"] == 24
        (line,) = client.audit(9)
        assert (line["what"], line["subject"], line["after"]["events"]) == ("forget", "card", 4)
        assert not re.search(r"\bc3\b", str(line))  # its digest may hold these letters
        with pytest.raises(KeeperRefusedError, match="names nobody"):
            client.forget("amount", "1.00")
