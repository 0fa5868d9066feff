"""The demo's parts: its scene, its pace, its latency meter, its verdict."""

from __future__ import annotations

import io
import json
import threading
from pathlib import Path

import pytest
from rich.console import Console

from console.demo.audit import Audit, audit
from console.demo.observer import LatencyMeter, Percentiles
from console.demo.pace import StreamPace, why_wait
from console.demo.readback import ChampionQuality, ReadBack
from console.demo.report import failures, in_words, make_report, write_report
from console.demo.sample import ModelLine, Sample, sample_of
from console.demo.settings import DemoSettings, on_stream_clock, set_the_scene, under_own_names
from console.demo.view import PlainView, picture
from feature_store.declaration.load import load_pipeline
from streams.broker import Broker, BrokerKind
from streams.messages import Release
from streams.sources import Emission

SHIPPED = Path(__file__).resolve().parents[3] / "config" / "payments.yaml"
ENVIRONMENT = {"SLUICEGATE_CONTROL_KEY": "given"}
BROKER = Broker("127.0.0.1:1", BrokerKind.KAFKA, "4.1.1")
SOUND = audit([((0, 0), "a")], [((0, 0), "a")], [])


def found(audited: Audit = SOUND, published: int = 2, decided: int = 2) -> ReadBack:
    releases = [Release(epoch, f"m{epoch}", "", "schedule") for epoch in range(1, published + 1)]
    qualities = [ChampionQuality("m1", 10, 2, 0.5), ChampionQuality("m2", 10, 0, None)]
    return ReadBack(audited, releases, list(range(1, decided + 1)), qualities)


def test_scene_is_the_shipped_pipeline_on_the_stream_clock(tmp_path: Path) -> None:
    settings = DemoSettings(SHIPPED, tmp_path / "demo", tmp_path / "report.json")
    set_the_scene(settings, "auto")
    shipped, staged = load_pipeline(SHIPPED, ENVIRONMENT), load_pipeline(settings.config, ENVIRONMENT)
    assert staged.clock == "stream"
    assert staged.training == shipped.training
    assert staged.model_copy(update={"clock": shipped.clock}) == shipped


def test_scene_is_fresh_every_time(tmp_path: Path) -> None:
    settings = DemoSettings(SHIPPED, tmp_path / "demo", tmp_path / "report.json")
    set_the_scene(settings, "auto")
    (settings.state_dir / "left").mkdir()
    set_the_scene(settings, "auto")
    assert [path.name for path in settings.home.iterdir()] == ["run"]
    assert [path.name for path in settings.state_dir.iterdir()] == ["pipeline.yaml"]


def test_given_broker_keeps_its_topics_to_itself(tmp_path: Path) -> None:
    settings = DemoSettings(SHIPPED, tmp_path / "demo", tmp_path / "report.json")
    set_the_scene(settings, "kafka.example:9092")
    staged = load_pipeline(settings.config, ENVIRONMENT)
    assert staged.name.startswith("demo-")
    names = staged.topics.model_dump(include={"events", "decisions", "outcomes", "features", "models",
                                              "dead_letters", "alerts"})  # fmt: skip
    assert all(name.startswith(f"{staged.name}-") for name in names.values())


def test_clock_is_set_or_added() -> None:
    assert on_stream_clock("a: 1\nclock: wall\nb: 2\n") == "a: 1\nclock: stream\nb: 2\n"
    assert on_stream_clock("a: 1\n") == "clock: stream\na: 1\n"
    assert "pipeline: x\n" in under_own_names("pipeline: payments\n", "x")


def emissions(*arrivals: int) -> list[Emission]:
    return [Emission(arrival, "events", b"", b"") for arrival in arrivals]


def test_pace_ends_with_the_stream() -> None:
    pace = StreamPace(1e9, begin_us=0, end_us=20)
    assert [each.arrival_us for each in pace.paced(emissions(0, 20, 21, 22))] == [0, 20]


def test_held_pace_lets_nothing_out_until_it_goes_on() -> None:
    pace = StreamPace(1e9, begin_us=0, end_us=100)
    pace.hold()
    out: list[Emission] = []
    consumer = threading.Thread(target=lambda: out.extend(pace.paced(emissions(1, 2, 3))))
    consumer.start()
    assert out == []
    assert consumer.is_alive()
    pace.go_on()
    consumer.join(60)
    assert len(out) == 3


def test_stopped_pace_ends_even_while_held() -> None:
    pace = StreamPace(1e9, begin_us=0, end_us=100)
    pace.hold()
    pace.stop()
    assert list(pace.paced(emissions(1, 2))) == []


def test_stream_waits_for_training_and_scorers() -> None:
    assert why_wait(Sample(events=100, runs={"running": 1, "passed": 5}), sent=200) is None
    assert why_wait(Sample(runs={"running": 1, "due": 1}), sent=0) == "the last night's training"
    assert why_wait(Sample(events=1_000, dead_letters=5), sent=9_000) == "the scorers"


def test_latency_is_paired_whichever_is_seen_first() -> None:
    meter = LatencyMeter()
    meter.event((0, 0), 1_000)
    meter.decision((0, 0), 1_010)
    meter.decision((1, 0), 2_030)
    meter.event((1, 0), 2_000)
    meter.event((1, 1), 2_000)
    observed = meter.observed(12_020)
    assert (observed.total.count, observed.total.p50) == (2, 20.0)
    assert (observed.recent.count, observed.recent.p50) == (1, 30.0)


def test_report_has_exactly_the_promised_keys(tmp_path: Path) -> None:
    report = make_report(found(), Percentiles(3, 1.0, 2.0, 3.0), BROKER)
    path = tmp_path / "new" / "report.json"
    write_report(report, path)
    assert json.loads(path.read_text()) == {
        "events": 1,
        "decisions": 1,
        "dead_letters": 0,
        "duplicates": 0,
        "lost": 0,
        "models_published": 2,
        "swaps": 2,
        "latency_ms": {"p50": 1.0, "p99": 2.0, "p999": 3.0},
        "average_precision": {"first": 0.5, "last": 0.5},
        "broker": {"kind": "kafka", "version": "4.1.1"},
    }
    assert failures(report, found()) == []
    said = in_words(report, found(), 1.0)
    assert "Apache Kafka 4.1.1" in said
    assert "2 published, 2 swapped in under way\n" in said


def test_what_was_taken_back_is_told() -> None:
    what = found()
    what.published.append(Release(3, "m1", "", "too many alarms", withdrawn="m2"))
    assert "2 published, 2 swapped in under way, 1 taken back\n" in in_words(
        make_report(what, Percentiles(), BROKER), what, 1.0
    )


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (found(audit([((0, 0), "a")], [], [])), "1 events were lost"),
        (found(audit([((0, 0), "a")], [((0, 0), "a")] * 2, [])), "1 were decided more than once"),
        (found(audit([], [((0, 0), "a")], [])), "1 decisions are about records that are not there"),
        (found(published=1, decided=1), "published 1 model versions"),
        (found(published=2, decided=1), "only 1 decided events"),
    ],
)
def test_verdict_names_what_is_wrong(what: ReadBack, words: str) -> None:
    report = make_report(what, Percentiles(), BROKER)
    assert any(words in failure for failure in failures(report, what))


def test_views_show_a_sample() -> None:
    sample = Sample(
        stream_time="2026-01-09T12:00:00Z",
        events=50_000,
        epoch=1,
        models=[ModelLine("cold_start", 40_000, 300, None), ModelLine("m1", 10_000, 90, 0.7)],
        latency=Percentiles(10, 5.0, 20.0, 30.0),
        runs={"passed": 1},
    )
    console = Console(record=True, width=200, file=io.StringIO())
    PlainView(console).show(sample, 0.5, "the scorers")
    console.print(picture(sample, 0.5, None))
    text = console.export_text()
    for part in ("50%", "2026-01-09 12:00", "p99 20 ms", "model m1", "0.700", "waits for the scorers"):
        assert part in text


def test_sample_of_a_monitor_that_has_seen_nothing() -> None:
    assert sample_of({}, {}, Percentiles()) == Sample()
