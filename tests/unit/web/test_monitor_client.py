from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import msgspec
import pytest

from console.web.monitor_client import monitor_figures
from console.web.watch_lines import watch_lines
from feature_store.declaration.load import load_pipeline
from feature_store.errors import ConfigError
from streams.monitor.state import MonitorState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCORE = {"psi": 0.31, "p_value": 1e-9, "n": 2_000, "edges": [0.1], "reference_shares": [0.9, 0.1],
         "shares": [0.6, 0.4], "state": "drift"}  # fmt: skip
WATCHED = {
    "drift": {"reference": "v2", "events": 2_000, "state": "drift", "why": None, "score": SCORE,
              "features": [SCORE | {"name": f"f{at}", "missing": 0, "usual": 0.1} for at in range(5)]},
    "action_rates": {"actions": {"review": {"share": 0.04, "usual": 0.01, "p_value": 0.0, "state": "bad"}}},
    "agreement": [{"shadow": "v3", "state": "good", "overlap": 0.8, "events": 300}],
    "freshness": {"silence": {"state": "good", "for_s": 1.5, "expected": 10.0},
                  "behind": {"state": "between", "waiting": 1_234, "stuck": 1, "for_s": 9.0}},
}  # fmt: skip


@contextmanager
def answering(body: bytes, status: int = 200) -> Iterator[str]:
    """Something that gives ``body`` to everybody; its address."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Tests say nothing of requests."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def told(tmp_path: Path) -> dict[str, object]:
    """What a monitor tells that has read nothing."""
    config = tmp_path / "pipeline.yaml"
    config.write_text(
        "pipeline: small\n"
        "event: {id: id, time: at, key: id, fields: {id: string, at: timestamp, amount: float}}\n"
        "features: {rows: {amount_x: amount}}\noutcomes: {sources: {analyst: 1d}}\n"
        "decision: {costs: {amount: amount, review: 1, false_decline: 1}}\n",
        encoding="utf-8",
    )
    return MonitorState(load_pipeline(config)).status()


def test_what_a_monitor_tells_is_understood(told: dict[str, object]) -> None:
    with answering(msgspec.json.encode(told)) as url:
        figures = monitor_figures(url + "/")
    assert figures.events == 0
    assert figures.rates.stream.share("review") is None
    assert figures.latency_ms.total.p99 is None
    assert {line.state for line in watch_lines(figures)} == {"not known yet"}


def test_what_is_watched_is_told_in_words(told: dict[str, object]) -> None:
    with answering(msgspec.json.encode(told | WATCHED)) as url:
        lines = watch_lines(monitor_figures(url))
    assert [(line.name, line.style, line.words) for line in lines] == [
        ("Features", "bad", "f0, f1, f2 and 2 more"),
        ("Score", "bad", "PSI 0.310 over 2,000 events"),
        ("Share of review", "bad", "4.00%, usually 1.00%"),
        ("Shadow v3", "good", "would stop 80% of what is stopped"),
        ("Events come", "good", "newest decision 2 s ago"),
        ("Events are decided", "warn", "1,234 wait"),
    ]


def test_a_monitor_of_before_tells_less(told: dict[str, object]) -> None:
    older = {name: value for name, value in told.items() if name not in WATCHED}
    with answering(msgspec.json.encode(older)) as url:
        assert watch_lines(monitor_figures(url)) == []


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b'{"events": "many"}', b"\xff"])
def test_what_is_no_monitor_is_said_to_be_none(body: bytes) -> None:
    with answering(body) as url, pytest.raises(ConfigError, match="is no monitor"):
        monitor_figures(url)


def test_a_monitor_that_is_away_is_told_apart_from_one_that_nobody_named() -> None:
    with answering(b"", 500) as url, pytest.raises(ConnectionError, match="500"):
        monitor_figures(url)
    with pytest.raises(ConnectionError, match="does not answer"):
        monitor_figures(url)
    with pytest.raises(ConfigError, match="--monitor-url"):
        monitor_figures(None)
