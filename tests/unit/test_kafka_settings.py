"""Settings of Kafka's clients: passed as they stand, refused where they break a promise, never shown."""

from __future__ import annotations

import json
import logging
import ssl
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from faust.auth import SASLCredentials, SSLCredentials
from typer.testing import CliRunner

from console import topic_check
from console.cli.app import app
from console.soundness import check_soundness
from console.topic_check import differences, found_topics
from feature_store.declaration.clients import REFUSED
from feature_store.declaration.load import load_pipeline
from feature_store.errors import ConfigError
from streams.kafka import Cluster, PresentTopic, TopicSpec, clients, pipeline_topics
from streams.kafka.cluster import connection
from streams.monitor.security import credentials_of
from tests.support.certificates import Authority
from tests.support.payments import ENVIRONMENT, pipeline_of, shipped_tree

if TYPE_CHECKING:
    from pathlib import Path

SECRET = ENVIRONMENT["KAFKA_PASSWORD"]


def secured(folder: Path, **changes: Any) -> tuple[Path, Any]:
    authority = Authority(folder)
    kafka = {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "${KAFKA_USER}",
        "sasl.password": "${KAFKA_PASSWORD}",
        "ssl.ca.location": str(authority.certificate),
        "enable.ssl.certificate.verification": True,
        "socket.timeout.ms": 20_000,
    }
    return pipeline_of(shipped_tree() | {"kafka": kafka | changes}, folder)


def test_settings_reach_every_client_as_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, pipeline = secured(tmp_path)
    made: list[dict[str, Any]] = []
    for name in ("Consumer", "Producer"):
        monkeypatch.setattr(clients, name, lambda settings, **_: made.append(settings))
    cluster = Cluster.of("broker:9093", pipeline)
    clients.group_consumer(cluster, "g")
    clients.reader(cluster)
    clients.plain_producer(cluster)
    clients.transactional_producer(cluster, "t")
    wanted = {
        "bootstrap.servers": "broker:9093",
        "security.protocol": "SASL_SSL",
        "sasl.password": SECRET,
        "enable.ssl.certificate.verification": "true",
        "socket.timeout.ms": "20000",
    }
    assert len(made) == 4
    for settings in made:
        assert wanted.items() <= settings.items()


def test_every_producer_partitions_alike_and_waits_for_all_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[dict[str, Any]] = []
    monkeypatch.setattr(clients, "Producer", lambda settings, **_: made.append(settings))
    clients.plain_producer("a:1")
    clients.transactional_producer("a:1", "t")
    for settings in made:
        assert settings["partitioner"] == "murmur2_random"
        assert settings["enable.idempotence"] is True  # which is acks=all, and is refused with any other
        assert "acks" not in settings
    assert made[1]["transaction.timeout.ms"] == 10_000


def test_what_would_break_a_promise_is_refused_with_the_reason(tmp_path: Path) -> None:
    assert {"acks", "isolation.level", "enable.auto.commit", "partitioner", "transactional.id"} <= set(
        REFUSED
    )
    with pytest.raises(ConfigError) as refused:
        secured(tmp_path, **dict.fromkeys(REFUSED, "x"))
    said = str(refused.value)
    assert [name for name, why in REFUSED.items() if f"{name!r} is not to be set: {why}" not in said] == []
    assert SECRET not in said


def test_a_secret_in_the_file_is_refused_without_being_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"kafka\.sasl\.password: a secret must not stand in") as refused:
        secured(tmp_path, **{"sasl.password": "written"})
    assert "written" not in str(refused.value)
    tree = shipped_tree() | {"schema_registry": {"basic.auth.user.info": "me:written"}}
    with pytest.raises(ConfigError, match=r"schema_registry\.basic\.auth\.user\.info: a secret"):
        pipeline_of(tree, tmp_path)


def test_a_password_in_an_address_is_a_secret_in_the_file(tmp_path: Path) -> None:
    def loaded(url: str) -> object:
        return pipeline_of(shipped_tree() | {"schema_registry": {"url": url}}, tmp_path)

    with pytest.raises(ConfigError, match=r"schema_registry\.url: a secret must not stand in") as refused:
        loaded("https://me:hunter2@registry:8081")
    assert "hunter2" not in str(refused.value)
    loaded("https://${KAFKA_USER}:${KAFKA_PASSWORD}@registry:8081")
    loaded("https://registry:8081/path")


@pytest.mark.parametrize("kafka", ["${KAFKA_PASSWORD}", ["${KAFKA_PASSWORD}"], {"a": ["${KAFKA_PASSWORD}"]}])
def test_a_secret_in_a_wrong_place_is_not_said(tmp_path: Path, kafka: Any) -> None:
    with pytest.raises(ConfigError, match="kafka") as refused:
        pipeline_of(shipped_tree() | {"kafka": kafka}, tmp_path)
    assert SECRET not in str(refused.value)


def test_no_value_is_shown_by_what_holds_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, pipeline = secured(tmp_path)
    cluster = Cluster.of("broker:9093", pipeline)
    with structlog.testing.capture_logs() as lines, caplog.at_level(logging.DEBUG):
        structlog.get_logger().info("connecting", broker=cluster, pipeline=pipeline)
        clients.reader(cluster).close()
    shown = [
        repr(cluster),
        str(cluster),
        f"{pipeline!r}",
        pipeline.model_dump_json(),
        repr(lines),
        caplog.text,
    ]
    assert [text for text in shown if SECRET in text] == []
    found = CliRunner().invoke(app, ["check", str(path), "--json"], env=ENVIRONMENT)
    assert (found.exit_code, json.loads(found.stdout)["pipeline"]) == (0, pipeline.name)
    assert SECRET not in found.output


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"no.such.setting": "x"}, 'kafka: No such configuration property: "no.such.setting"'),
        ({"security.protocol": "TELNET"}, "security.protocol"),
        ({"ssl.ca.location": "nowhere.pem"}, "ssl.ca.location"),
    ],
)
def test_what_no_client_takes_is_found_by_check(tmp_path: Path, changes: dict[str, str], said: str) -> None:
    path, pipeline = secured(tmp_path, **changes)
    with pytest.raises(ConfigError, match="kafka: ") as refused:
        check_soundness(pipeline, path)
    assert said in str(refused.value)


def test_the_monitor_connects_as_the_others_do(tmp_path: Path) -> None:
    _, pipeline = secured(tmp_path)
    found = credentials_of(Cluster.of("broker:9093", pipeline))
    assert isinstance(found, SASLCredentials)
    assert (found.protocol.value, found.mechanism.value) == ("SASL_SSL", "SCRAM-SHA-512")
    assert (found.username, found.password) == (ENVIRONMENT["KAFKA_USER"], SECRET)
    assert found.ssl_context is not None
    assert found.ssl_context.check_hostname
    assert len(found.ssl_context.get_ca_certs()) == 1
    certificate, key = Authority(tmp_path).client("monitor")
    mutual = {
        "security.protocol": "ssl",
        "ssl.certificate.location": str(certificate),
        "ssl.key.location": str(key),
        "enable.ssl.certificate.verification": "false",
    }
    by_certificate = credentials_of(Cluster("broker:9093", mutual))
    assert isinstance(by_certificate, SSLCredentials)
    assert by_certificate.context.verify_mode is ssl.CERT_NONE
    assert credentials_of("broker:9092") is None


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"security.protocol": "SASL_SSL", "sasl.mechanism": "GSSAPI"}, "sasl.mechanism GSSAPI"),
        ({"security.protocol": "SASL_PLAINTEXT"}, "sasl.mechanism GSSAPI"),
        ({"security.protocol": "SSL", "ssl.keystore.location": "x.p12"}, "ssl.keystore.location"),
        ({"security.protocol": "SSL", "ssl.ca.location": "nowhere.pem"}, "cannot be used"),
    ],
)
def test_what_the_monitor_cannot_do_is_said(settings: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match="kafka: ") as refused:
        credentials_of(Cluster("broker:9093", settings))
    assert said in str(refused.value)


def test_without_settings_a_client_gets_the_addresses_alone(tmp_path: Path) -> None:
    _, pipeline = pipeline_of(shipped_tree(), tmp_path)
    assert connection("a:1") == connection(Cluster.of("a:1", pipeline)) == {"bootstrap.servers": "a:1"}
    assert Cluster("a:1", {"x": "y"}) == "a:1"


@pytest.mark.parametrize(
    ("declared", "brokers", "copies", "in_sync"),
    [(None, 1, 1, 1), (None, 2, 2, 1), (None, 3, 3, 2), (None, 9, 3, 2), (1, 9, 1, 1), (5, 9, 5, 2)],
)
def test_copies_are_as_many_as_are_safe_on_the_cluster(
    declared: int | None, brokers: int, copies: int, in_sync: int
) -> None:
    spec = TopicSpec("t", 4, declared)
    assert (spec.copies(brokers), spec.in_sync(brokers)) == (copies, in_sync)
    assert spec.settings_on(brokers).get("min.insync.replicas", "1") == str(in_sync)


SAFE = {"min.insync.replicas": "2", "cleanup.policy": "delete", "retention.ms": "1209600000"}


@pytest.mark.parametrize(
    ("partitions", "replication", "changes", "said"),
    [
        (4, 3, {}, []),
        (4, 4, {"min.insync.replicas": "3", "retention.ms": "-1", "max.message.bytes": "99999999"}, []),
        (5, 3, {}, ["5 partitions, but the pipeline file says 4"]),
        (4, 2, {}, ["replication is 2, at least 3 wanted"]),
        (4, 3, {"min.insync.replicas": "1"}, ["min.insync.replicas is 1, at least 2 wanted"]),
        (4, 3, {"cleanup.policy": "compact"}, ["cleanup.policy is compact, delete wanted"]),
        (4, 3, {"retention.ms": "60000"}, ["retention.ms is 60000, at least 1209600000 wanted"]),
        (4, 3, {"max.message.bytes": "1048588"}, ["max.message.bytes is 1048588, at least 10485760 wanted"]),
    ],
)
def test_topics_are_held_to_what_they_would_be_made_with(
    tmp_path: Path, partitions: int, replication: int, changes: dict[str, str], said: list[str]
) -> None:
    _, pipeline = pipeline_of(shipped_tree(), tmp_path)
    spec = next(each for each in pipeline_topics(pipeline) if each.name == pipeline.topics.decisions)
    found = PresentTopic(partitions, replication, {**SAFE, "max.message.bytes": "10485760", **changes})
    assert list(differences(spec, found, 3)) == said


@pytest.mark.parametrize(("copies", "said"), [(3, []), (1, ["replication is 1, at least 3 wanted"])])
def test_kafkas_own_topics_are_told_where_they_are_not_safe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copies: int, said: list[str]
) -> None:
    _, pipeline = pipeline_of(shipped_tree(), tmp_path)
    own = {"__transaction_state": PresentTopic(50, copies, None)}
    monkeypatch.setattr(topic_check, "described_topics", lambda *_: (own, 3))
    found = {topic.name: topic for topic in found_topics("a:1", pipeline)}
    told = found.get("__transaction_state")
    assert (list(told.findings) if told else []) == said
    assert not found[pipeline.topics.events].fits


def test_a_pipeline_without_the_section_loads_as_before(tmp_path: Path) -> None:
    path, _ = pipeline_of(shipped_tree(), tmp_path)
    assert load_pipeline(path, ENVIRONMENT).kafka == {}
