"""The keeper's metrics are what it reports about itself."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import httpx
from prometheus_client.parser import text_string_to_metric_families

from streams.broker.ports import choose_ports
from streams.metrics import definitions as d
from tests.unit.keeper.written import until
from training.keeper.parts import KeeperSettings
from training.keeper.service import run

if TYPE_CHECKING:
    from pathlib import Path

    from prometheus_client.samples import Sample


def scraped(url: str) -> dict[str, Sample]:
    try:
        text = httpx.get(url, timeout=30).text
    except httpx.TransportError:
        return {}
    found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {sample.name: sample for sample in found if sample.name.startswith("sluicegate_")}


def test_a_keeper_tells_every_metric_that_is_declared_for_it(
    config: Path, bootstrap: str, tmp_path: Path
) -> None:
    (port,) = choose_ports(tmp_path / "ports.json", 1)
    state, url, stop = tmp_path / "state", f"http://127.0.0.1:{port}/metrics", threading.Event()
    thread = threading.Thread(target=run, args=(KeeperSettings(config, bootstrap, state, 0, port), stop))
    thread.start()
    with ExitStack() as stack:
        stack.callback(thread.join)
        stack.callback(stop.set)
        until((state / "keeper.json").exists, lambda: stop.wait(0.1))
        wanted = {definition.name for definition in d.KEEPER}
        until(lambda: set(scraped(url)) >= wanted, lambda: stop.wait(0.2))
        found = scraped(url)
        assert set(found) == wanted
        assert found["sluicegate_process_info"].labels["process"] == "keeper"
        assert found["sluicegate_sink_lag_records"].value == 0
        assert found["sluicegate_store_bytes"].value > 0
    assert scraped(url) == {}
