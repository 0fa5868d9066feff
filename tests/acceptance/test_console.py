"""The console as people meet it: one system, real processes, a real browser."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from console.users import Users
from streams.messages import Decision
from tests.support.browser import Window, chromium
from tests.support.kafka import feed_of, read_all
from tests.support.models import small_model
from tests.support.payments import encoded, private_pipeline, shipped_tree
from tests.support.up import Up
from tests.support.web import CHEAP, PASSWORD
from tests.unit.keeper.written import until
from training.keeper.client import KeeperClient
from training.publish import Publisher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

    from feature_store.declaration.pipeline import Pipeline
    from streams.broker import Broker
    from tests.support.kafka import Feed

pytestmark = pytest.mark.acceptance

PAGES = (
    "/", "/review", "/decisions", "/models", "/models/m1", "/features", "/schedule", "/policy",
    "/dead-letters", "/alerts", "/audit",
)  # fmt: skip
EVENTS = 300


@dataclass
class System:
    """One `sluicegate up` with two models, of which ``m1`` acts."""

    up: Up
    pipeline: Pipeline
    bootstrap: str
    feed: Feed
    state: Path
    url: str
    sent: int = 0

    def decide(self, count: int, **changes: Any) -> list[str]:
        """Send so many events and wait until the keeper has stored their decisions; their ids."""
        ids = [f"e{self.sent + number}" for number in range(count)]
        self.feed.send(encoded(self.sent + number, **changes) for number in range(count))
        self.sent += count
        with KeeperClient(self.state) as keeper:
            until(lambda: keeper.status()["rows"]["decisions"] >= self.sent, _moment)
        return ids

    def decisions(self) -> dict[str, Decision]:
        """Every decision on Kafka, by event."""
        found = read_all(self.bootstrap, self.pipeline.topics.decisions)
        told = [msgspec.json.decode(record.value, type=Decision) for record in found]
        return {each.event_id: each for each in told}

    def models_of_the_newest(self) -> set[str | None]:
        """The models that decide what is sent now."""
        ids = self.decide(5)
        decisions = self.decisions()
        return {decisions[each].model for each in ids}


def _moment() -> None:
    threading.Event().wait(0.1)


@pytest.fixture(scope="module")
def system(
    tmp_path_factory: pytest.TempPathFactory, jar_cache: Path, embedded_broker: Broker
) -> Iterator[System]:
    folder, bootstrap = tmp_path_factory.mktemp("console"), embedded_broker.bootstrap
    decision = shipped_tree()["decision"]
    decision["rules"] += [{"name": "dear", "when": "amount > 95", "action": "review"}]
    config, pipeline = private_pipeline(folder, "console", decision=decision)
    feed = feed_of(pipeline, bootstrap)
    publisher = Publisher(bootstrap, pipeline, lambda: "2026-01-05T00:00:00Z")
    for number, version in enumerate(("m2", "m1")):
        publisher.publish(*small_model(pipeline, version, seed=number + 1), f"test of {version}")
    state = folder / ".sluicegate"
    users = Users(state, CHEAP)
    for role in ("viewer", "analyst", "operator"):
        users.add(role, role, PASSWORD, "a test")
    with Up(folder, jar_cache, "--config", config.name, "--broker", bootstrap, "--scorers", "1") as up:
        up.wait_for("Ctrl-C stops everything")
        told = "".join(up.said)
        url = json.loads((state / "keeper.json").read_text())["url"]
        assert f"console  {url}" in told
        assert json.loads((state / "keeper.json").read_text())["token"] not in told  # it is no terminal
        found = System(up, pipeline, bootstrap, feed, state, url)
        found.decide(EVENTS, ip_address="198.51.100.7")
        feed.send([(b"c1", b'{"event_id": "<script>alert(1)</script>", "amount": "much"}')])
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def window(browser: Browser, system: System) -> Iterator[Window]:
    """A window that nobody has logged in with; nothing may go wrong in it."""
    found = Window(browser, system.url)
    yield found
    found.context.close()
    assert found.wrong == []


def test_every_page_can_be_read_by_everybody(window: Window, system: System) -> None:
    faults = []
    window.go("/login")
    faults += window.faults()
    window.log_in("operator", PASSWORD)
    links = [each.get_attribute("href") for each in window.page.locator("nav[aria-label=Sections] a").all()]
    assert [f"/console{path}" for path in PAGES if path.count("/") == 1] == links
    for path in PAGES:
        window.go(path)
        faults += window.faults()
    assert faults == []
