"""What was said is not said again; and what is said reaches a web address."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from structlog.testing import capture_logs

from feature_store.clock import WallClock
from streams.alerts import AlertSender
from streams.kafka import ensure_topics, pipeline_topics
from streams.monitor.episodes import Episodes, Subject
from streams.monitor.told import Told
from streams.monitor.webhook import Webhook
from tests.support.payments import private_pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.broker import Broker

ALERT = {"subjects": "feature a,score", "monitor": "before"}


class Site:
    """A web address that answers as it is told to, and remembers what it was sent."""

    def __init__(self, *answers: int) -> None:
        self.posts: Queue[tuple[str, dict[str, Any]]] = Queue()
        self._answers = list(answers)
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                site.posts.put((self.headers["idempotency-key"], msgspec.json.decode(body)))
                self.send_response(site.answer())
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hush-hush"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self) -> int:
        return self._answers.pop(0) if self._answers else 204

    def texts(self, count: int) -> list[str]:
        """The texts of the next posts."""
        return [self.posts.get(timeout=30)[1]["text"] for _ in range(count)]


@pytest.fixture
def sites() -> Iterator[list[Site]]:
    """Sites that are closed when the test is over."""
    opened: list[Site] = []
    yield opened
    for site in opened:
        site.server.shutdown()
        site.server.server_close()


def _pipeline(broker: Broker, unique: str, folder: Path, webhook: str = "") -> Pipeline:
    _, pipeline = private_pipeline(folder, unique, monitoring={"webhook": webhook})
    ensure_topics(broker.bootstrap, pipeline_topics(pipeline))
    return pipeline


@contextmanager
def _sender(broker: Broker, pipeline: Pipeline) -> Iterator[AlertSender]:
    sender = AlertSender(broker.bootstrap, pipeline, WallClock(), "test")
    try:
        yield sender
    finally:
        sender.close()


def test_a_monitor_that_starts_knows_what_was_said(
    embedded_broker: Broker, unique: str, tmp_path: Path
) -> None:
    pipeline = _pipeline(embedded_broker, unique, tmp_path)
    with _sender(embedded_broker, pipeline) as sender:
        sender.send("drift", "a drifted", dict(ALERT))
        sender.send("drift_cleared", "over", {"subjects": "score", "monitor": "before"})
        sender.send("drift", "mine", {"subjects": "feature b", "monitor": "me"})
        sender.send("drift", "by hand, about nothing that is looked at", {"subjects": "nothing"})
        sender.send("gate_refused", "no subjects", {})
    episodes = Episodes(1, 1)
    told = Told(embedded_broker.bootstrap, pipeline, episodes, "me")
    told.start()
    told.apply()
    told.stop()
    assert episodes.open == {Subject("drift", "feature a")}


def test_every_alert_is_posted_once_in_order_and_a_restart_goes_on(
    embedded_broker: Broker, unique: str, tmp_path: Path, sites: list[Site]
) -> None:
    site = Site(503, 204)  # the first try of the first alert fails
    sites.append(site)
    pipeline = _pipeline(embedded_broker, unique, tmp_path, site.url)
    note = tmp_path / "webhook.json"
    with _sender(embedded_broker, pipeline) as sender:
        sender.send("missed_run", "of before", {}, wait_s=10)
        first = Webhook(embedded_broker.bootstrap, pipeline, note)
        first.start()
        sender.send("drift", "one", dict(ALERT), wait_s=10)
        sender.send("gate_refused", "two", {}, wait_s=10)
        assert site.texts(3) == ["one", "one", "two"]
        first.stop()
        sender.send("drift_cleared", "three", {}, wait_s=10)
    again = Webhook(embedded_broker.bootstrap, pipeline, note)
    again.start()
    key, alert = site.posts.get(timeout=30)
    again.stop()
    assert (key, alert["text"], alert["pipeline"]) == (f"{unique}-3", "three", unique)
    assert site.posts.empty()


def test_what_the_topic_still_has_of_the_unsent_is_sent(unique: str, tmp_path: Path) -> None:
    _, pipeline = private_pipeline(tmp_path, unique)
    note = tmp_path / "webhook.json"
    for noted, first in ((None, 20), (5, 10), (12, 12), (20, 20), (31, 20)):
        if noted is not None:
            note.write_bytes(msgspec.json.encode({"topic": pipeline.topics.alerts, "next": noted}))
        webhook = Webhook("nowhere:1", pipeline, note)
        assert webhook._first(10, 20) == first


def test_what_is_refused_is_left_and_the_address_stands_in_no_log(
    embedded_broker: Broker, unique: str, tmp_path: Path, sites: list[Site]
) -> None:
    site = Site(400)
    sites.append(site)
    pipeline = _pipeline(embedded_broker, unique, tmp_path, site.url)
    webhook = Webhook(embedded_broker.bootstrap, pipeline, tmp_path / "webhook.json")
    with capture_logs() as logs, _sender(embedded_broker, pipeline) as sender:
        webhook.start()
        sender.send("drift", "one", {}, wait_s=10)
        sender.send("drift", "two", {}, wait_s=10)
        assert site.texts(2) == ["one", "two"]
        webhook.stop()
    (left,) = (each for each in logs if each["event"] == "alert_not_posted")
    assert left["why"] == "it answered 400"
    assert "hush" not in str(logs)
