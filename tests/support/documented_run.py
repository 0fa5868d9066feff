"""A reader who types what the docs say, in the folder of a system that runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from typer.testing import CliRunner

from console.cli.app import app
from tests.support.up import COMMAND
from training.keeper.client import KeeperClient

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.documented import Typed

MOST_WAITED_S = 120.0
BROKER = re.compile(r"broker-\d:\d+(,broker-\d:\d+)*")


@dataclass
class Reader:
    """Types commands in ``folder``, where `sluicegate up` runs, and waits as a patient person does.

    ``sent`` events have gone to the running system. What takes the place of a word in capitals (``VERSION``,
    ``EVENT_ID``) is looked up when it is typed.
    """

    folder: Path
    answers: dict[str, str]
    shorter: dict[str, list[str]]
    sent: int = 0
    said: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        return self.folder / ".sluicegate"

    @property
    def bootstrap(self) -> str:
        """Where its Kafka listens."""
        return str(json.loads((self.state / "up.json").read_text(encoding="utf-8"))["bootstrap"])

    def types(self, typed: Typed) -> str:
        """What the command prints. Raises AssertionError where it fails."""
        words = [self.meant(word) for word in typed.words] + self.shorter.get(
            typed.text.split("#")[0].strip(), []
        )
        if words[0] == "python":
            return self.programs(typed.body)
        assert words[0] == "sluicegate", f"{typed.page}: {typed.text}: type it here, or say why not"
        if "--follow" in words:
            return self.follows(words)
        return self.runs(words, typed)

    def runs(self, words: list[str], typed: Typed) -> str:
        """A command that ends, in this process: its libraries are loaded once for all."""
        answer = next((each for start, each in self.answers.items() if typed.text.startswith(start)), None)
        done = CliRunner().invoke(app, words[1:], input=answer, prog_name="sluicegate")
        assert done.exit_code == 0, f"{typed.page}: {' '.join(words)}: {done.output} {done.exception!r}"
        if typed.output is not None:
            (self.folder / typed.output).write_text(done.stdout, encoding="utf-8")
        if words[1] == "simulate" and "--to" not in words:
            found = re.search(r"events (\d+)", done.output)
            assert found is not None, done.output
            self.sent += int(found[1])
            self.waits_until_stored()
        if found := re.search(r"^sent (\d+)$", done.output, re.MULTILINE):
            self.sent += int(found[1])
        self.said[typed.text] = done.output
        return done.output

    def follows(self, words: list[str]) -> str:
        """The first line of a command that goes on until it is stopped."""
        with subprocess.Popen(
            [*COMMAND, *words[1:]], cwd=self.folder, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            process.kill()
        assert first, words
        return first

    def programs(self, body: str) -> str:
        """A Python program that a page prints."""
        done = subprocess.run(
            [sys.executable, "-"], input=body, cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def meant(self, word: str) -> str:
        """What a person puts in the place of an example's word."""
        if word == "VERSION":
            return self.waiting_version()
        if word == "EVENT_ID":
            return self.scored_event()
        return BROKER.sub(self.bootstrap, word)

    def waiting_version(self) -> str:
        """The newest kept version that does not act; the champion where there is no other."""
        with KeeperClient(self.state) as keeper:
            told = keeper.models()
        release, kept = told["release"], [each["version"] for each in told["models"]]
        others = [each for each in kept if each not in (release["champion"], release["canary"])]
        return str((others or kept)[-1])

    def scored_event(self) -> str:
        """An event that a model scored; more are sent until scorers have taken the model."""
        for seed in range(100, 150):
            lines = [json.loads(line) for line in self.asks("tail", "--count", "200", "--json").splitlines()]
            scored = [str(each["event_id"]) for each in lines if each["model"] is not None]
            if scored:
                return scored[0]
            self.sent += 20
            self.asks("simulate", "--limit", "20", "--seed", str(seed))
            self.waits_until_stored()
        raise AssertionError("no model scores")

    def asks(self, *words: str) -> str:
        """What a command of the test's own prints."""
        done = CliRunner().invoke(app, list(words), prog_name="sluicegate")
        assert done.exit_code == 0, (words, done.output, done.exception)
        return done.stdout

    def waits_until_stored(self) -> None:
        """Return when every event that was sent is decided, refused or a duplicate, and stored."""
        self.waits_until("scored", self.sent, also=("dead_letters", "duplicates"))

    def waits_until(self, what: str, least: int, also: tuple[str, ...] = ()) -> None:
        """Return when the store holds ``least`` of ``what``, or of that and others together."""
        pause, rows = threading.Event(), {}
        with KeeperClient(self.state) as keeper:
            for _ in range(int(MOST_WAITED_S * 10)):
                rows = keeper.status()["rows"]
                if sum(rows[name] for name in (what, *also)) >= least:
                    return
                pause.wait(0.1)
        raise AssertionError(f"{least} {what} were sent; the store has {rows}")
