"""A changed pipeline file, rolled out under a stream that runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from feature_store.log import decode_log
from streams.kafka import read_to_end
from tests.support.payments import shipped_tree
from tests.support.up import Up

if TYPE_CHECKING:
    from pathlib import Path

import yaml

pytestmark = pytest.mark.acceptance

_NEW_FEATURE = "customer_id_count_2h"


def test_a_feature_and_a_rule_more_and_what_is_refused(tmp_path: Path, jar_cache: Path) -> None:
    config = tmp_path / "config" / "payments.yaml"
    config.parent.mkdir()
    tree = shipped_tree()
    config.write_text(yaml.safe_dump(tree))
    with Up(tmp_path, jar_cache, "--broker", "embedded") as up:
        up.wait_for("Ctrl-C stops everything")
        up.ask("simulate", "--limit", "200", "--json")
        before = {process.pid for process in up.descendants()}

        tree["event"]["fields"]["channel"] = "integer"
        config.write_text(yaml.safe_dump(tree))
        refused = up.ask("reload", expected=2)
        assert "event.fields.channel: was string" in refused
        assert {process.pid for process in up.descendants()} >= before

        tree["event"]["fields"]["channel"] = "string"
        tree["event"]["fields"]["basket"] = {"type": "integer", "required": False}
        tree["features"]["windows"][0]["windows"] = ["1h", "2h", "24h", "7d"]
        tree["decision"]["rules"].append({"name": "any", "when": "amount >= 0", "action": "review"})
        config.write_text(yaml.safe_dump(tree))
        assert "everything runs on the changed pipeline file" in up.ask("reload")
        up.ask("simulate", "--limit", "200", "--seed", "8", "--json")
        decided = [json.loads(line) for line in up.ask("tail", "--count", "50", "--json").splitlines()]
        assert all("any" in decision["rules"] for decision in decided)
        bootstrap = json.loads((tmp_path / ".sluicegate" / "up.json").read_text())["bootstrap"]
        batches = [decode_log(message.value() or b"")[0] for message in read_to_end(bootstrap, "features")]
        offsets = [
            (row["source_partition"], row["source_offset"]) for batch in batches for row in batch.to_pylist()
        ]
        assert len(set(offsets)) == len(offsets)
        newest = batches[-1].column(_NEW_FEATURE).to_pylist()
        assert None not in newest
