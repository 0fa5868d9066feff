"""The command line by itself: help, exit codes, what check and schema print."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import pytest
import yaml
from typer.main import get_command

from console.cli import main
from console.cli.app import app

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = ROOT / "config" / "payments.yaml"


def leaves(command: object, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], object]]:
    inner = getattr(command, "commands", None)
    if not inner:
        return [(path, command)]
    return [leaf for name, each in inner.items() for leaf in leaves(each, (*path, name))]


COMMANDS = dict(leaves(get_command(app)))


def run_process(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "console.cli", *arguments],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


class Run(Protocol):
    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run what the command `sluicegate` runs, without the seconds that a process takes to import it."""
    monkeypatch.chdir(ROOT)

    def run_main(*arguments: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", ["sluicegate", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        code = ended.value.code
        return subprocess.CompletedProcess([*arguments], int(code or 0), told.out, told.err)

    return run_main


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_says_what_it_does_with_an_example(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    assert getattr(command, "help", None)
    assert getattr(command, "epilog", "").startswith(f"Example: sluicegate {' '.join(path)}")


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys\nfrom typer.testing import CliRunner\nfrom console.cli.app import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "print([m for m in ('duckdb', 'faust', 'lightgbm', 'xgboost', 'sklearn', 'pyarrow', "
        "'confluent_kafka', 'pydantic', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"


def test_check_tells_what_the_shipped_pipeline_declares(run: Run, tmp_path: Path) -> None:
    done = run("check", str(SHIPPED), "--json", "--state-dir", str(tmp_path))
    told = json.loads(done.stdout)
    assert (done.returncode, told["pipeline"], told["fields"]) == (0, "payments", 13)
    assert told["row_features"] + told["window_features"] == told["features"]
    assert told["global_features"] == []
    assert "sound" in run("check", str(SHIPPED), "--state-dir", str(tmp_path)).stdout


def test_check_tells_categories_and_conditions(run: Run, tmp_path: Path) -> None:
    text = SHIPPED.read_text().replace(
        "      count: true\n      sum: amount\n      mean: amount\n",
        ("      count: true\n      where: {abroad_only: country <> home_country}\n"),
    )
    config = tmp_path / "more.yaml"
    config.write_text(
        text.replace("  windows:\n", "  categories: {channel: [online, shop]}\n  windows:\n", 1)
    )
    done = run("check", str(config), "--state-dir", str(tmp_path))
    assert done.returncode == 0
    assert "1 category, " in done.stdout
    assert "(where abroad_only)" in done.stdout


def test_check_names_features_that_need_one_scorer(run: Run, tmp_path: Path) -> None:
    text = SHIPPED.read_text()
    config = tmp_path / "global.yaml"
    config.write_text(text.replace("    - entity: [customer_id, terminal_id]", "    - entity: [terminal_id]"))
    done = run("check", str(config), "--state-dir", str(tmp_path))
    assert done.returncode == 0
    assert "one scorer must hold all partitions" in done.stdout
    assert "terminal_id_count_7d" in done.stdout
    refused = run("up", "--config", str(config), "--scorers", "2", "--state-dir", str(tmp_path / "s"))
    assert refused.returncode == 2
    assert "terminal_id_count_7d" in refused.stderr
    assert "--scorers 1" in refused.stderr


def test_wrong_file_is_told_one_line_per_finding(tmp_path: Path) -> None:
    config = tmp_path / "wrong.yaml"
    config.write_text("pipeline: Payments\nevnt: {}\n")
    done = run_process("check", str(config), "--state-dir", str(tmp_path))
    lines = done.stderr.splitlines()
    assert done.returncode == 2
    assert done.stdout == ""
    assert all(line.startswith(f"sluicegate: {config}: ") for line in lines)
    assert any("evnt: unknown key; did you mean 'event'?" in line for line in lines)
    assert any(" pipeline: " in line for line in lines)


def test_schema_is_json_schema(run: Run) -> None:
    told = json.loads(run("schema").stdout)
    assert told["$schema"].endswith("2020-12/schema")
    assert {"event", "features", "outcomes"} <= set(told["required"])


def test_no_broker_is_told_with_the_cure(run: Run, tmp_path: Path) -> None:
    done = run("tail", "--config", str(SHIPPED), "--state-dir", str(tmp_path))
    assert done.returncode == 3
    assert done.stderr == (
        f"sluicegate: nothing runs in {tmp_path}; start it with `sluicegate up`, or name one: "
        "--broker host:port\n"
    )


def test_misspelt_broker_is_a_config_error(run: Run, tmp_path: Path) -> None:
    done = run("tail", "--config", str(SHIPPED), "--state-dir", str(tmp_path), "--broker", "nowhere")
    assert done.returncode == 2
    assert "host:port" in done.stderr


def test_more_scorers_than_partitions_are_refused(run: Run, tmp_path: Path) -> None:
    done = run("up", "--config", str(SHIPPED), "--scorers", "5", "--state-dir", str(tmp_path))
    assert done.returncode == 2
    assert "has 4 partitions" in done.stderr


def test_version() -> None:
    assert run_process("--version").stdout.startswith("0.")


def test_a_retention_below_the_longest_window_is_told(run: Run, tmp_path: Path) -> None:
    tree = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    tree["outcomes"]["control_group"]["key"] = "secret"
    for retention, expected in (("2d", 1), ("14d", 0)):
        config = tmp_path / f"{retention}.yaml"
        config.write_text(yaml.safe_dump(tree | {"topics": {"retention": retention}}), encoding="utf-8")
        told = run("check", str(config))
        assert told.returncode == 0, told.stderr
        assert told.stdout.count("shorter than the longest window") == expected
