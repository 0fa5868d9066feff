"""The system on a Kafka with TLS, SCRAM and ACLs, each process with the rights that the manual lists."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from confluent_kafka.admin import AclOperation  # type: ignore[attr-defined]

from feature_store.errors import BrokerError
from streams.broker import KafkaUnavailableError
from streams.broker.ports import choose_ports
from streams.kafka import (
    NEEDS,
    Cluster,
    ensure_topics,
    group_members,
    let_in,
    pipeline_topics,
    require_rights,
)
from streams.kafka.refused import AccessError, LoginError
from tests.support.kafka import Feed, read_until
from tests.support.payments import ENVIRONMENT, encoded, private_pipeline
from tests.support.secure_kafka import documented_rights, running_secure_kafka
from training.keeper.client import KeeperClient, KeeperUnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.secure_kafka import SecureKafka

pytestmark = [pytest.mark.kafka, pytest.mark.acceptance]

USERS = ("scorer", "keeper", "monitor", "explainer", "producer", "operator")


def password(user: str) -> str:
    return f"hush-{user}"


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory, jar_cache: Path) -> Iterator[SecureKafka]:
    with ExitStack() as stack:
        try:
            running = running_secure_kafka(tmp_path_factory.mktemp("secure"), jar_cache)
            kafka = stack.enter_context(running)
        except KafkaUnavailableError as error:
            if os.environ.get("CI"):
                pytest.fail(f"CI needs Apache Kafka: {error}", pytrace=False)
            pytest.skip(f"no Apache Kafka: {error}")
        for user in USERS:
            kafka.add_user(user, password(user))
        yield kafka


@contextmanager
def process(name: str, config: Path, broker: str, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    """One process of the system under a user of its own; killed on the way out if it still runs."""
    command = [sys.executable, "-m", "console.cli", name, "--config", str(config), "--broker", broker]
    secrets = {"KAFKA_USER": name, "KAFKA_PASSWORD": password(name)}
    with (
        log_of(config, name).open("ab") as log,
        subprocess.Popen(
            [*command, "--state-dir", str(config.parent / "state"), *more],
            env=os.environ | ENVIRONMENT | secrets,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        ) as started,
    ):
        try:
            yield started
        finally:
            if started.poll() is None:
                started.kill()


def log_of(config: Path, name: str) -> Path:
    return config.parent / f"{name}.log"


def as_user(kafka: SecureKafka, user: str) -> Cluster:
    settings = kafka.scram_settings() | {"sasl.username": user, "sasl.password": password(user)}
    return Cluster(kafka.scram, settings)


def secured(kafka: SecureKafka, folder: Path, name: str, lacking: tuple[str, str, str] | None = None) -> Any:
    """Pipeline file and pipeline with the documented rights granted, but for (user, topic key, operation)."""
    config, pipeline = private_pipeline(folder, name, kafka=kafka.scram_settings())
    rights = [each for granted in documented_rights(pipeline).values() for each in granted]
    if lacking is not None:
        user, key, operation = lacking
        denied = (f"User:{user}", getattr(pipeline.topics, key), AclOperation[operation])
        kept = [each for each in rights if (each.principal, each.name, each.operation) != denied]
        assert len(kept) == len(rights) - 1
        rights = kept
    kafka.allow(rights)
    ensure_topics(as_user(kafka, "operator"), pipeline_topics(pipeline))
    return config, pipeline


def decisions_sunk(state: Path) -> int:
    try:
        with KeeperClient(state) as client:
            return int(client.status()["rows"]["decisions"])
    except KeeperUnreachableError:
        return 0


def decisions_counted(port: int) -> int:
    try:
        found = httpx.get(f"http://127.0.0.1:{port}/status.json", timeout=30).json()
    except httpx.TransportError:
        return 0
    return int(found["events"])


def eventually(holds: Callable[[], bool], processes: list[subprocess.Popen[bytes]]) -> None:
    while not holds():  # pytest's own time limit ends a wait in vain
        assert [each.poll() for each in processes] == [None] * len(processes)
        threading.Event().wait(0.05)


def test_every_process_works_with_exactly_the_documented_rights(
    secure: SecureKafka, unique: str, tmp_path: Path
) -> None:
    config, pipeline = secured(secure, tmp_path, unique)
    port = choose_ports(tmp_path / "port.json", 1)[0]
    total = 300
    with (
        process("scorer", config, secure.scram) as scorer,
        process("keeper", config, secure.scram, "--port", "0") as keeper,
        process("explainer", config, secure.scram) as explainer,
        process("monitor", config, secure.scram, "--port", str(port)) as monitor,
    ):
        running = [scorer, keeper, explainer, monitor]
        Feed(as_user(secure, "producer"), pipeline.topics.events).send(encoded(n) for n in range(total))
        eventually(lambda: decisions_sunk(tmp_path / "state") >= total, running)
        eventually(lambda: decisions_counted(port) >= total, running)
        eventually(lambda: group_members(secure.plain, f"sluicegate.{unique}.explainer") == 1, running)
        for each in running:
            each.send_signal(signal.SIGTERM)
        assert [each.wait(30) for each in running] == [0, 0, 0, 0]
    decided = read_until(secure.plain, [pipeline.topics.decisions], lambda seen: len(seen) >= total)
    ids = [dict(record.headers)["event_id"].decode() for record in decided]
    assert sorted(ids) == sorted(f"e{n}" for n in range(total))
    for name in ("scorer", "keeper", "explainer", "monitor"):
        assert password(name) not in log_of(config, name).read_text()


def test_a_process_without_a_right_says_which_operation_on_which_topic(
    secure: SecureKafka, unique: str, tmp_path: Path
) -> None:
    config, pipeline = secured(secure, tmp_path, unique, lacking=("scorer", "decisions", "WRITE"))
    with process("scorer", config, secure.scram) as scorer:
        assert scorer.wait(60) == BrokerError.exit_code
    said = log_of(config, "scorer").read_text()
    assert f"sluicegate: Kafka does not allow this user Write on topic '{pipeline.topics.decisions}'" in said
    assert "Traceback" not in said
    with pytest.raises(AccessError, match=f"Read on topic '{pipeline.topics.policy}'"):
        require_rights(as_user(secure, "monitor"), pipeline, "scorer")


def test_a_right_taken_away_while_it_runs_ends_the_scorer_in_words(
    secure: SecureKafka, unique: str, tmp_path: Path
) -> None:
    config, pipeline = secured(secure, tmp_path, unique)
    feed = Feed(as_user(secure, "producer"), pipeline.topics.events)
    with process("scorer", config, secure.scram) as scorer:
        feed.send([encoded(0)])
        read_until(secure.plain, [pipeline.topics.decisions], lambda seen: len(seen) >= 1)
        secure.deny("scorer", "Write", pipeline.topics.decisions)
        feed.send([encoded(1)])
        assert scorer.wait(60) == BrokerError.exit_code
    said = log_of(config, "scorer").read_text()
    assert "sluicegate: Kafka does not allow this user Write" in said
    assert "Traceback" not in said


def test_a_client_certificate_in_place_of_a_password(
    secure: SecureKafka, unique: str, tmp_path: Path
) -> None:
    _, pipeline = secured(secure, tmp_path, unique)
    for user, needs in NEEDS.items():
        cluster = Cluster(secure.mutual, secure.mutual_settings(user))
        require_rights(cluster, pipeline, user)
        assert needs
    (tmp_path / "mutual").mkdir()
    kafka = secure.mutual_settings("monitor")
    config, _ = private_pipeline(tmp_path / "mutual", unique, kafka=kafka)
    port = choose_ports(tmp_path / "port.json", 1)[0]
    with process("monitor", config, secure.mutual, "--port", str(port)) as monitor:
        eventually(lambda: caught_up(port), [monitor])


def caught_up(port: int) -> bool:
    try:
        return bool(httpx.get(f"http://127.0.0.1:{port}/status.json", timeout=30).json()["caught_up"])
    except httpx.TransportError:
        return False


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sasl.password": "not-the-one"}, "does not take these credentials"),
        ({"security.protocol": "SSL"}, "TLS connection"),
        ({"ssl.ca.location": None}, "TLS connection"),
    ],
)
def test_a_wrong_secret_or_certificate_is_told_at_once(
    secure: SecureKafka, changes: dict[str, str | None], said: str
) -> None:
    settings: dict[str, str | None] = {**as_user(secure, "scorer").settings, **changes}
    known = {name: value for name, value in settings.items() if value is not None}
    address = secure.mutual if "security.protocol" in changes else secure.scram
    with pytest.raises(LoginError, match=said) as refused:
        let_in(Cluster(address, known))
    assert known["sasl.password"] not in str(refused.value)
