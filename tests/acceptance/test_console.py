"""The console as people meet it: one system, real processes, a real browser."""

from __future__ import annotations

import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
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
STRANGE = b'{"event_id": "<script>alert(1)</script>", "amount": "much", "ip_address": "192.0.2.99"}'
ADDRESS = re.compile(r"(?:198\.51\.100|203\.0\.113|192\.0\.2)\.\d")
"""What tests send as personal data, and nothing else has."""
STORED = ("decisions", "scored")
"""What pages read of a decision: its message, and its row of the feature log."""


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
            until(lambda: min(keeper.status()["rows"][each] for each in STORED) >= self.sent, _moment)
        return ids

    def decisions(self) -> dict[str, Decision]:
        """Every decision on Kafka, by event."""
        found = records(self.bootstrap, self.pipeline.topics.decisions)
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
    config, pipeline = private_pipeline(
        folder,
        "console",
        decision=decision,
        outcomes={"sources": {"analyst": "24h"}},  # nothing goes through
    )
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
        feed.send([(b"c1", STRANGE)])
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
    window.page.set_content("<h1>a</h1><h1>b</h1><input><p style='color: #999; width: 2000px'>dim</p>")
    assert len(window.faults()) >= len(
        ("h1", "name", "width", "contrast", "title", "language")
    )  # it has eyes
    faults = []
    window.go("/login")
    faults += window.faults()
    window.log_in("operator", PASSWORD)
    links = [each.get_attribute("href") for each in window.page.locator("nav[aria-label=Sections] a").all()]
    assert [f"/console{path}" for path in PAGES if path.count("/") == 1] == links
    for path in PAGES:
        window.go(path)
        faults += window.faults()
        first = window.page.locator("main tbody a[href^='/console/']").first
        if first.count():
            window.page.goto(f"{system.url}{first.get_attribute('href')}")
            faults += window.faults()
    assert faults == []


def test_a_verdict_by_keyboard_is_an_outcome_on_kafka_and_a_label_in_the_store(
    window: Window, system: System
) -> None:
    (event,) = system.decide(1, amount=97)
    window.log_in("analyst", PASSWORD)
    page = window.go("/review?text=" + event)
    page.locator(f'article[data-event="{event}"][aria-current=true]').wait_for()
    page.keyboard.press("f")
    page.locator("#said", has_text=event).wait_for()
    (record,) = (
        each
        for each in records(system.bootstrap, system.pipeline.topics.outcomes)
        if json.loads(each.value)["event_id"] == event
    )
    told, headers = json.loads(record.value), {name: value.decode() for name, value in record.headers}
    assert (told["label"], told["source"]) == ("fraud", "analyst")
    assert (headers["by"], headers["role"], headers["via"]) == ("analyst", "analyst", "console")
    assert labels_of(system, event, "fraud") == ["fraud"]

    page.keyboard.press("u")
    page.locator(f'article[data-event="{event}"][aria-current=true]').wait_for()
    page.keyboard.press("l")
    page.locator("#said", has_text="legitimate").wait_for()
    assert labels_of(system, event, "legitimate")[-1] == "legitimate"
    said = json.loads(system.up.ask("audit", "--json"))
    assert [(each["who"], each["what"]) for each in said if each["subject"] == event] == [
        ("analyst", "verdict"),
        ("analyst", "verdict"),
    ]


def test_promoting_and_rolling_back_is_seen_on_what_is_decided(window: Window, system: System) -> None:
    assert system.models_of_the_newest() == {"m1"}
    window.log_in("operator", PASSWORD)
    page = window.go("/models/m2")
    page.get_by_label("Why").fill("it looks better")
    page.get_by_role("button", name="Promote to champion").click()
    page.wait_for_url("**/models?released=*")
    until(lambda: system.models_of_the_newest() == {"m2"}, _moment)
    page.get_by_label("Why").fill("it was not")
    page.get_by_role("button", name="Roll back").click()
    page.wait_for_url("**/models?released=*")
    until(lambda: system.models_of_the_newest() == {"m1"}, _moment)
    page = window.go("/audit")
    assert "it looks better" in page.locator("tr", has_text="promote").inner_text()
    assert "it was not" in page.locator("tr", has_text="rollback").inner_text()


def test_a_decision_is_found_by_what_it_is_about_and_told_to_each_as_they_may_see_it(
    window: Window, system: System, browser: Browser
) -> None:
    (event,) = system.decide(1, customer_id="c-sought", ip_address="203.0.113.77")
    window.log_in("analyst", PASSWORD)
    page = window.go("/decisions")
    page.get_by_role("searchbox").fill("c-sought")
    page.keyboard.press("Enter")
    page.get_by_role("link", name=event).click()
    page.wait_for_url("**/decisions/event?*")
    assert event in page.locator("h1").inner_text()
    assert "203.0.113.77" in page.content()
    address = page.url.removeprefix(f"{system.url}/console")
    assert window.faults() == []
    other = Window(browser, system.url)
    other.log_in("viewer", PASSWORD)
    seen = {path: other.go(path).content() for path in (address, *PAGES) if path != "/audit"}
    other.go("/dead-letters").locator("main tbody a").last.click()
    other.page.wait_for_url("**/dead-letters/*/*")
    seen["a dead letter"] = other.page.content()
    other.context.close()
    assert event in seen[address]
    assert [path for path, page in seen.items() if ADDRESS.search(page)] == []
    assert other.wrong == []


def test_a_run_is_asked_for_in_the_console(window: Window, system: System) -> None:
    window.log_in("operator", PASSWORD)
    page = window.go("/schedule")
    page.get_by_label("Why").fill("to see it run")
    page.get_by_role("button", name="Dry run").click()
    page.wait_for_url("**/schedule?asked=*")
    (run,) = json.loads(system.up.ask("runs", "--json"))["runs"]
    assert (run["why"], run["dry"], run["cause"]) == ("command", True, "by operator: to see it run")
    assert run["run_id"] in page.locator("main").inner_text()
    page.goto(f"{system.url}/console/schedule/{run['run_id']}")
    assert window.faults() == []


def test_what_a_stranger_sent_is_shown_and_does_nothing(window: Window, system: System) -> None:
    window.log_in("operator", PASSWORD)
    window.go("/dead-letters")
    assert "much" in window.page.content() or "amount" in window.page.content()
    window.page.locator("main tbody a").first.click()
    window.page.wait_for_load_state()
    assert "<script>alert(1)</script>" in window.page.locator("main").inner_text()
    assert window.faults() == []


def test_the_local_user_comes_in_by_the_link_and_goes(window: Window, system: System) -> None:
    link = system.up.ask("console").strip()
    window.page.goto(link)
    assert window.page.url == f"{system.url}/console/"
    assert "key=" not in window.page.content()
    window.page.get_by_role("button", name="Log out").click()
    window.page.wait_for_url("**/console/login")
    window.go("/audit")
    assert window.page.url.startswith(f"{system.url}/console/login?next=")


def records(bootstrap: str, topic: str) -> list[Any]:
    """Every committed record of a topic; in another thread, since the browser's loop runs in this one."""
    with ThreadPoolExecutor(1) as thread:
        return list(thread.submit(read_all, bootstrap, topic).result())


def labels_of(system: System, event: str, newest: str) -> list[str]:
    """What the store holds about an event, oldest first, once ``newest`` is the last of it."""

    def labels() -> list[str]:
        with KeeperClient(system.state) as keeper:
            (found,) = keeper.event(event)
        return [each.label for each in found.outcomes]

    until(lambda: labels()[-1:] == [newest], _moment)
    return labels()
