"""``features compute``, ``features check`` and ``backfill``: figures, tables, exit codes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from console.backfilling import refuse_what_comes_too_late, words
from console.check_table import summary
from console.cli.app import app
from console.local_run import LocalRun, announced, only_run
from feature_store.duck import open_store
from feature_store.errors import BrokerError, ConfigError, StorageError
from streams.kafka import TopicSpec, ensure_topics, group_consumer, pipeline_topics, plain_producer
from tests.unit.history.past import OUTCOMES, WINDOWS, declared, written
from training.history.backfill import Backfilled
from training.history.check import Checked
from training.history.differences import Compared
from training.keeper.store import STORE, columns_of

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

    from streams.broker import Broker

HOURS = [float(n) for n in range(60)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SLUICEGATE_BROKER", raising=False)
    pipeline = declared(WINDOWS[0], OUTCOMES[1]).model_dump(mode="json", exclude_defaults=True)
    for name, spec in declared().event.fields.items():
        pipeline["event"]["fields"][name] = str(spec.type)
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(pipeline, sort_keys=False))
    written(tmp_path, HOURS, [0, 3])
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--config", "p.yaml"])


@pytest.mark.parametrize("engine", ["online", "offline"])
def test_compute_tells_what_it_wrote(folder: Path, engine: str) -> None:
    done = run("features", "compute", "past.parquet", "--out", "out.parquet", "--engine", engine, "--json")
    told = json.loads(done.stdout)
    assert (told["events"], told["engine"]) == (60, engine)
    assert pq.read_table("out.parquet").num_rows == 60


def test_a_check_that_compared_nothing_does_not_say_that_nothing_differs() -> None:
    held, bare = Compared("held", "h", 7, 0, None, None), Compared("bare", "h", 0, 0, None, None, other=7)
    assert summary(Checked(7, 0, (bare,))) == "7 events, 1 features: nothing was compared"
    assert summary(Checked(7, 0, (held, bare))).endswith("no difference; nothing was compared for bare")


def test_a_check_that_compared_nothing_ends_with_exit_code_1(folder: Path) -> None:
    written(folder, [], [])
    done = run("features", "check", "past.parquet")
    assert "0 events, 8 features: nothing was compared" in done.stdout
    assert done.exit_code == 1
    written(folder, HOURS, [0, 3])
    assert run("backfill", "past.parquet").exit_code == 0
    store = open_store(folder / ".sluicegate" / STORE)
    store.execute("UPDATE scored SET late = true")
    store.close()
    assert run("features", "check").exit_code == 1


def test_check_of_a_file_has_a_line_per_feature(folder: Path) -> None:
    done = run("features", "check", "past.parquet")
    assert done.exit_code == 0
    assert "customer_mean_amount_3d" in done.stdout
    assert "60 events, 8 features: no difference" in done.stdout


def test_a_difference_in_what_is_stored_ends_with_exit_code_1(folder: Path) -> None:
    assert "60 events are history now" in run("backfill", "past.parquet").stdout
    assert run("features", "check").exit_code == 0
    store = open_store(folder / ".sluicegate" / STORE)
    store.execute("UPDATE scored SET customer_sum_amount_24h = 0 WHERE event_id = 'e9'")
    store.close()
    done = run("features", "check")
    assert done.exit_code == 1
    assert "60 events, 8 features: 1 difference in customer_sum_amount_24h" in done.stdout
    told = json.loads(run("features", "check", "--json").stdout)
    (wrong,) = [each for each in told["features"] if each["differences"]]
    assert wrong["example"]["event_id"] == "e9"
    assert wrong["example"]["found"] == 0.0


def test_a_mistyped_state_folder_is_not_made(folder: Path) -> None:
    done = run("features", "check", "--state-dir", "mistyped")
    assert isinstance(done.exception, StorageError)
    assert "there is no store" in str(done.exception)
    assert not (folder / "mistyped").exists()


def test_a_check_leaves_no_column_of_a_trial_file_in_the_store(folder: Path) -> None:
    assert run("backfill", "past.parquet").exit_code == 0
    trial = yaml.safe_load((folder / "p.yaml").read_text())
    trial["features"]["rows"]["larger"] = "amount > 6"
    (folder / "p.yaml").write_text(yaml.safe_dump(trial, sort_keys=False))
    done = run("features", "check")
    assert done.exit_code == 0
    assert "nothing was compared for larger" in done.stdout
    store = open_store(folder / ".sluicegate" / STORE)
    columns = columns_of(store, "scored")
    store.close()
    assert "large" in columns
    assert "larger" not in columns


def test_a_check_takes_the_pipeline_file_of_what_runs_in_the_state_folder(folder: Path) -> None:
    assert run("backfill", "past.parquet").exit_code == 0
    state = folder / ".sluicegate"
    with only_run(state), announced(state, LocalRun(1, str(folder / "p.yaml"), "127.0.0.1:1", "", "")):
        done = CliRunner().invoke(app, ["features", "check"])
    assert "60 events, 8 features: no difference" in done.stdout
    assert done.exit_code == 0


def test_backfill_waits_for_scorers_to_stop(folder: Path) -> None:
    state = folder / "state"
    here = LocalRun(1, "p.yaml", "127.0.0.1:1", "", "")
    refusal = pytest.raises(ConfigError, match="stop it, backfill, and start it again")
    with only_run(state), announced(state, here), refusal:
        refuse_what_comes_too_late(declared(), None, state)
    refuse_what_comes_too_late(declared(), None, state)


def test_backfill_comes_too_late_for_a_log_that_has_begun(
    folder: Path, embedded_broker: Broker, unique: str
) -> None:
    pipeline = declared()
    topics = pipeline.topics.model_copy(update={"features": f"{unique}-features", "partitions": 1})
    pipeline = pipeline.model_copy(update={"topics": topics})
    refuse_what_comes_too_late(pipeline, embedded_broker.bootstrap, folder)
    ensure_topics(
        embedded_broker.bootstrap, [t for t in pipeline_topics(pipeline) if t.name == topics.features]
    )
    refuse_what_comes_too_late(pipeline, embedded_broker.bootstrap, folder)
    producer = plain_producer(embedded_broker.bootstrap)
    producer.produce(topics.features, b"a message of the log")
    assert producer.flush(30) == 0
    with pytest.raises(ConfigError, match="--only-new"):
        refuse_what_comes_too_late(pipeline, embedded_broker.bootstrap, folder)


def test_backfill_says_that_the_named_broker_does_not_answer(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.kafka.topics.TIMEOUT_S", 0.5)
    with pytest.raises(
        BrokerError, match=r"cannot be seen: no answer from Kafka at 127\.0\.0\.1:1.*--broker host:port"
    ):
        refuse_what_comes_too_late(declared(), "127.0.0.1:1", folder)
    with pytest.raises(BrokerError, match="'nonsense' is not host:port"):
        refuse_what_comes_too_late(declared(), "nonsense", folder)
    refuse_what_comes_too_late(declared(), "embedded", folder)


@pytest.mark.kafka
def test_backfill_waits_for_scorers_that_run_elsewhere(
    folder: Path, apache_kafka: Broker, unique: str
) -> None:
    pipeline = declared(pipeline=unique)
    bootstrap, topic = apache_kafka.bootstrap, f"{unique}-events"
    ensure_topics(bootstrap, [TopicSpec(topic, 1)])
    refuse_what_comes_too_late(pipeline, bootstrap, folder)
    scorer = group_consumer(bootstrap, f"sluicegate.{unique}.scorer")
    scorer.subscribe([topic])
    while not scorer.assignment():
        scorer.poll(0.1)
    with pytest.raises(ConfigError, match=rf"scorers run on .*1 in the .*sluicegate\.{unique}\.scorer"):
        refuse_what_comes_too_late(pipeline, bootstrap, folder)
    scorer.close()
    refuse_what_comes_too_late(pipeline, bootstrap, folder)


def test_the_summary_is_in_words() -> None:
    done = Backfilled(2_000, 0, 86_400_000_000, frauds=7, known=5, snapshots="here")
    assert words(done).splitlines() == [
        "2,000 events are history now, from 1970-01-01T00:00:00Z to 1970-01-02T00:00:00Z",
        (
            "7 of them are known to be fraud, or will be after the declared delay; features count 5 of these "
            "already"
        ),
        "scorers begin with their state, which is kept in here",
    ]
    assert words(Backfilled(3, 0, 0, features=["a", "b"])).startswith("a, b: filled in for 3 stored events")
