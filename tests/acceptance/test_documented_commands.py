"""Every command that README and docs tell readers to type: typed, on a system that runs, or named here."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_store.units import from_text
from tests.support.documented import ROOT, Typed, commands_in, fences, typed_commands
from tests.support.documented_run import Reader
from tests.support.kafka import Feed
from tests.support.payments import ENVIRONMENT
from tests.support.up import Up

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.acceptance

ELSEWHERE = {
    r"make (install|check|test|test-fast|chaos|fuzz)( |$)": "the Makefile's, done by hand",
    r"make demo$": "test_demo",
    r"\. .venv/bin/activate$": "a shell's",
    r"export ": "a shell's",
    r"pip ": "fetches packages",
    r"docker ": "needs Docker; test_containers has a validator read its file",
    r"(kubectl|helm) ": "needs a cluster; test_kubernetes has a validator read the files",
    r"promtool ": "test_prometheus runs it",
    r"kafka-acls.sh ": "Kafka's own; test_secure_kafka gives the same rights",
    r"python -m benchmarks\.": "hours on a file that is not here; its options are looked up",
    r"sluicegate up$": "the system that these tests run on",
    r"sluicegate up --": "test_up, and here for a pipeline of one's own",
    r"sluicegate forget --entity [^ ]+$": "test_forget; the other pages count on every row",
    r"sluicegate reload$": "test_reload",
    r"sluicegate (keeper|scorer|explainer|monitor) --": "`up` starts it so; goes on until stopped",
    r"sluicegate backfill .* --only-new": "test_backfill; needs features that were added",
    r"sluicegate tail --config orders.yaml ": "below, on that pipeline",
    r"sluicegate models list --state-dir .*handbook": "asks the keeper of a second system",
}
"""Commands that are not typed here, and why. Their options are held to the help by test_docs."""

ANSWERS = {
    "sluicegate dlq redrive": "y\n",
    "sluicegate users add": "a long password\na long password\n",
    "sluicegate users password": "another password\nanother password\n",
}
"""What is asked for, and said."""

SHORTER = {
    "sluicegate simulate --rate 500": ["--limit", "50"],
    "sluicegate simulate --days 2 --events-per-day 20000": ["--limit", "50"],
    "sluicegate simulate --days 1 --rate 500": ["--limit", "50"],
    "sluicegate simulate --days 30 --speed 86400 --start 2026-01-05": ["--limit", "50"],
    "sluicegate simulate --days 30 --to payments.parquet": ["--days", "1", "--events-per-day", "200"],
    "sluicegate simulate --days 1 --rate 50 --limit 500": ["--rate", "1000"],
    "sluicegate simulate --days 7 --drift-day 4 --speed 86400": ["--limit", "50"],
    "sluicegate replay transactions.parquet --config config/handbook.yaml --state-dir .sluicegate/handbook "
    "--speed 21600": ["--speed", "10000000"],
    "sluicegate train --dry-run": ["--no-wait"],
    "sluicegate train --shuffle-labels": ["--no-wait"],
}
"""What is added so that nobody waits for long: fewer events, and training runs that are asked for only."""

FIRST = ["docs/quickstart.md", "docs/discussions/gate.md"]
"""What makes the system that the other pages speak of: events, and two models."""

LAST = ["docs/how-to/retrain.md"]

DAY = 86_400_000_000
SHOP = ROOT / "docs" / "how-to" / "bring-your-own-events.md"


def why_elsewhere(typed: Typed) -> str | None:
    """Why a command is not typed here."""
    return next((why for start, why in ELSEWHERE.items() if re.match(start, " ".join(typed.words))), None)


HERE = [each for each in typed_commands() if why_elsewhere(each) is None]
OTHERS = [page for page in dict.fromkeys(each.page for each in HERE) if page not in FIRST + LAST]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory, jar_cache: Path) -> Iterator[Reader]:
    """A system that runs, in a folder with what the pages take for granted."""
    folder = tmp_path_factory.mktemp("reader")
    given(folder)
    with pytest.MonkeyPatch.context() as patch, Up(folder, jar_cache, "--broker", "embedded") as up:
        patch.chdir(folder)
        patch.setattr("typer.launch", lambda _: 0)  # nobody's browser opens
        for name in list(ENVIRONMENT):
            patch.delenv(name, raising=False)
        up.wait_for("Ctrl-C stops everything")
        found = Reader(folder, ANSWERS, SHORTER)
        patch.setenv("SLUICEGATE_BROKER", found.bootstrap)  # for a pipeline that nothing runs of here
        for page in FIRST:
            for typed in HERE:
                if typed.page == page:
                    found.types(typed)
        yield found


def given(folder: Path) -> None:
    """The shipped pipelines, files of past payments, a policy that is stricter, the shop's pipeline."""
    for path in (ROOT / "config").glob("*.yaml"):
        (folder / "config").mkdir(exist_ok=True)
        (folder / "config" / path.name).write_bytes(path.read_bytes())
    pq.write_table(past("2018-04-20T00:00:00Z", days=145, a_day=40), folder / "past.parquet")
    pq.write_table(past("2018-04-01T00:00:00Z", days=1, a_day=100), folder / "transactions.parquet")
    (folder / "stricter.yaml").write_text("thresholds: {review: 0.1, decline: 0.8}\n", encoding="utf-8")
    (folder / "orders.yaml").write_text(fences(SHOP, "yaml")[0][1], encoding="utf-8")


def past(begin: str, *, days: int, a_day: int) -> pa.Table:
    """Transactions as the handbook's: most of the large ones are fraud."""
    random = np.random.default_rng(3)
    rows = days * a_day
    amount = np.round(random.gamma(2, 40, rows), 2)
    return pa.table(
        {
            "TRANSACTION_ID": np.arange(rows),
            "TX_DATETIME": pa.array(from_text(begin) + np.sort(random.integers(0, days * DAY, rows))).cast(
                pa.timestamp("us")
            ),
            "CUSTOMER_ID": random.integers(0, 50, rows),
            "TERMINAL_ID": random.integers(0, 30, rows),
            "TX_AMOUNT": amount,
            "TX_FRAUD": (random.random(rows) < np.where(amount > 180, 0.8, 0.01)).astype(int),
        }
    )


@pytest.mark.parametrize("page", [*OTHERS, *LAST])
def test_every_command_of_the_page_works(page: str, reader: Reader) -> None:
    for typed in HERE:
        if typed.page == page and typed.text not in reader.said:
            reader.types(typed)


def test_the_quickstart_says_what_its_reader_sees(reader: Reader) -> None:
    said = {text.split("#")[0].strip(): told for text, told in reader.said.items()}
    assert "passed" in said["sluicegate train"]
    assert re.search(r"^\* payments-\S+  champion", said["sluicegate models list"], re.MULTILINE)
    assert "equal to the digit" in said["sluicegate explain EVENT_ID"]
    assert "not_json" in said["sluicegate dlq list"]


def test_the_shop_of_the_how_to_decides(tmp_path: Path, jar_cache: Path) -> None:
    (tmp_path / "orders.yaml").write_text(fences(SHOP, "yaml")[0][1], encoding="utf-8")
    order, outcome = (json.loads(text) for _, text in fences(SHOP, "json"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORDERS_CONTROL_KEY", "a key for tests")
        patch.delenv("SLUICEGATE_BROKER", raising=False)
        patch.chdir(tmp_path)
        with Up(tmp_path, jar_cache, "--broker", "embedded", "--config", "orders.yaml") as up:
            up.wait_for("Ctrl-C stops everything")
            shop = Reader(tmp_path, ANSWERS, SHORTER)
            Feed(shop.bootstrap, "orders").send([(order["account_id"].encode(), json.dumps(order).encode())])
            follow = next(each for each in typed_commands() if "tail --config orders.yaml" in each.text)
            decision = json.loads(shop.follows([*follow.words, "--json"]))
            assert (decision["event_id"], decision["event"]["total"]) == ("o-1", 49.9)
            Feed(shop.bootstrap, "orders-outcomes").send([(b"o-1", json.dumps(outcome).encode())])
            shop.waits_until("outcomes", 1)


@pytest.mark.parametrize("typed", [each for each in typed_commands() if " -m benchmarks." in each.text])
def test_options_of_programs_that_are_not_run(typed: Typed) -> None:
    program = typed.words[: typed.words.index("-m") + 2]
    told = subprocess.run(
        [sys.executable, *program[1:], "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert [word for word in typed.words if word.startswith("--") and word not in told] == []


def test_nothing_is_left_out_without_need() -> None:
    lines = {" ".join(each.words) for each in typed_commands()}
    assert [start for start in ELSEWHERE if not any(re.match(start, line) for line in lines)] == []
    assert [text for text in SHORTER if not any(each.text.startswith(text) for each in HERE)] == []
    assert [text for text in ANSWERS if not any(each.text.startswith(text) for each in HERE)] == []


def test_blocks_are_read_as_they_are_typed() -> None:
    block = "$ one --a \\\n  --b c   # why\n\nfirst 'a > b' > file\npython - <<'EOF'\nprint(1)\nEOF\nlast\n"
    found = list(commands_in(block, "page"))
    assert [each.words for each in found] == [
        ["one", "--a", "--b", "c"], ["first", "a > b"], ["python", "-"], ["last"]
    ]  # fmt: skip
    assert [each.output for each in found] == [None, "file", None, None]
    assert found[2].body == "print(1)"
