"""Rounds of what can go wrong, at moments that a seed chooses."""

from __future__ import annotations

import os
import random
import signal
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from subprocess import TimeoutExpired
from typing import TYPE_CHECKING

import msgspec

from streams.broker import running_broker
from streams.messages import PolicyDocument, PolicyRule
from tests.support.chaos_check import settled
from tests.support.chaos_load import PATIENCE_S, Load
from tests.support.kafka import read_until
from tests.support.models import small_model
from tests.support.processes import scorer
from training.publish import Publisher
from training.publish_policy import PolicyPublisher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from subprocess import Popen

    from feature_store.declaration.pipeline import Pipeline
    from streams.broker import Broker
    from tests.support.kafka import Seen

_TO_RECOVER = {3, 4}
"""How a scorer ends that cannot know what Kafka holds, or did not find it at its start: a fresh one may."""
_END_S = 60


class Kafka:
    """A broker that can go away; it keeps its address and its data."""

    def __init__(self, state: Path, cache: Path) -> None:
        self._state, self._cache = state, cache
        self._stack = ExitStack()
        self.start()

    def start(self) -> None:
        """Start it; returns when it answers."""
        running = running_broker("kafka", state_dir=self._state, cache_dir=self._cache)
        self._broker = self._stack.enter_context(running)
        self.bootstrap = self._broker.bootstrap

    def stop(self, *, killed: bool = False) -> None:
        """Stop it in order, or kill it."""
        if killed and self._broker.process is not None:
            os.kill(self._broker.process.pid or 0, signal.SIGKILL)
            self._broker.process.wait(_END_S)
        self._stack.close()


@dataclass
class Chaos:
    """Some scorers under load, and what happens to them; a broker that is only an address stays."""

    kafka: Kafka | Broker
    config: Path
    pipeline: Pipeline
    load: Load
    scorers: int
    seed: str
    happened: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._stack = ExitStack()
        self._running: dict[int, Popen[bytes]] = {}
        self._begins: dict[int, int] = {}
        """Where the log of each that runs begins in its slot's."""
        bootstrap = self.kafka.bootstrap
        self._models = Publisher(bootstrap, self.pipeline, lambda: "2026-01-05T00:00:00Z")
        self._policies = PolicyPublisher(bootstrap, self.pipeline, lambda: "2026-01-05T00:00:00Z")

    def run(self, rounds: int) -> None:
        """That many rounds, then rest; afterwards nothing runs any more."""
        with self._stack, self._traces():
            for slot in range(self.scorers):
                self._start(slot)
            self._more(1, 50)
            kinds: list[Callable[[], None]] = []
            for number in range(rounds):
                if not kinds:
                    kinds = [self._kill, self._stop, self._relieve]
                    kinds += [self._freeze] * (self.scorers > 1)
                    kinds += [self._restart_kafka] * isinstance(self.kafka, Kafka)
                    self._random.shuffle(kinds)
                self._publish(number)
                self._more(1, 300)
                kinds.pop()()
            self._more(1, 100)
            self.load.until(self._at_rest, self._look_after)  # else nobody may tell the group where it stands
            self._settle()
            for slot in list(self._running):
                self._end(slot)

    @contextmanager
    def _traces(self) -> Iterator[None]:
        """Where nothing is decided any more, or one does not end, ask every scorer what it waits for."""
        try:
            yield
        except TimeoutError:
            for slot, process in self._running.items():
                process.send_signal(signal.SIGABRT)
                process.send_signal(signal.SIGCONT)  # one that is frozen would never hear of it
                self.happened.append(self._last_words(slot, process.wait(_END_S)))
            raise

    def _kill(self) -> None:
        slot = self._one()
        self._end(slot, killed=True)
        self._while_away()
        self._start(slot)

    def _stop(self) -> None:
        slot = self._one()
        self._end(slot)
        self._while_away()
        self._start(slot)

    def _relieve(self) -> None:
        """One more joins; when it has partitions, one of the others leaves."""
        old = self._one()
        new = next(slot for slot in range(self.scorers + 1) if slot not in self._running)
        before = self._log(new).count(b"partitions_gained")
        self._start(new)
        self.load.until(lambda: self._log(new).count(b"partitions_gained") > before, self._look_after)
        self._more(0, 100)
        self._end(old, killed=self._random.random() < 0.2)

    def _freeze(self) -> None:
        """One is thought dead, the others take over what it has, and it goes on where it stood."""
        frozen = self._one()
        self.load.until(lambda: bool(self._own(frozen)), self._look_after)  # else nobody would take over
        self._running[frozen].send_signal(signal.SIGSTOP)
        self.happened.append(f"{self.load.decided}: scorer {frozen} frozen")
        self.load.until(lambda: not self._own(frozen), self._look_after)
        self._more(0, 100)
        self._running[frozen].send_signal(signal.SIGCONT)
        self.happened.append(f"{self.load.decided}: scorer {frozen} goes on")
        self._more(0, 100)

    def _restart_kafka(self) -> None:
        assert isinstance(self.kafka, Kafka)
        killed, with_scorer = self._random.random() < 0.5, self._random.random() < 0.3
        self.load.offer(self._random.randint(0, 200))
        self.kafka.stop(killed=killed)
        self.happened.append(f"{self.load.decided}: Kafka {'killed' if killed else 'stopped'}")
        self.load.offer(self._random.randint(0, 50))
        slot = self._one()
        if with_scorer:
            self._end(slot, killed=True)
        self.kafka.start()
        if with_scorer:
            self._start(slot)

    def _while_away(self) -> None:
        if self._running:
            self._more(0, 150)

    def _publish(self, number: int) -> None:
        """Another policy every time, another model every second time; outcomes, where features count them."""

        def change(now: PolicyDocument) -> PolicyDocument:
            rule = PolicyRule(f"round_{number}", f"amount >= {100 * (number % 7 + 1)}", "review")
            return msgspec.structs.replace(now, rules=[rule], made_by="chaos", why="a test")

        self._policies.publish(change)
        if number % 2 == 0:
            self._models.publish(*small_model(self.pipeline, f"m{number}", seed=number), why="a test")
        if self.pipeline.outcome_fields:
            self.load.tell_outcomes(30)

    def _settle(self) -> None:
        """Return when the log accounts for every record, and for every outcome."""
        self.load.rest(self._look_after)
        accounted_for = settled(self.load.sent_to, self.load.told)

        def enough(seen: Seen) -> bool:
            self._look_after()
            return accounted_for(seen)

        read_until(self.kafka.bootstrap, [self.pipeline.topics.features], enough, PATIENCE_S)

    def _start(self, slot: int) -> None:
        running = scorer(self.config, self.kafka.bootstrap, slot)
        self._begins[slot] = len(self._log(slot))
        self._running[slot] = self._stack.enter_context(running)
        self.happened.append(f"{self.load.decided}: scorer {slot} started")

    def _end(self, slot: int, *, killed: bool = False) -> None:
        process = self._running.pop(slot)
        process.send_signal(signal.SIGKILL if killed else signal.SIGTERM)
        try:
            code = process.wait(_END_S)
        except TimeoutExpired as error:
            self._running[slot] = process
            raise TimeoutError(f"scorer {slot} does not end") from error
        self.happened.append(f"{self.load.decided}: scorer {slot} {'killed' if killed else 'stopped'}")
        # One that has just been started does not listen yet: there is nothing to tidy up.
        expected = {-signal.SIGKILL} if killed else {0, -signal.SIGTERM}
        assert code in expected | _TO_RECOVER, self._last_words(slot, code)

    def _look_after(self) -> None:
        """A scorer that ended in order to recover is started again; nothing else may end one."""
        for slot, process in list(self._running.items()):
            if (code := process.poll()) is not None:
                assert code in _TO_RECOVER, self._last_words(slot, code)
                self.happened.append(f"{self.load.decided}: scorer {slot} ended in order to recover")
                self._start(slot)

    def _more(self, least: int, most: int) -> None:
        self.load.more(self._random.randint(least, most), self._look_after)

    def _one(self) -> int:
        return self._random.choice(sorted(self._running))

    def _at_rest(self) -> bool:
        """Whether every partition is held once, and everybody holds some: no handover is under way."""
        held = [self._held(slot) for slot in self._running]
        return all(held) and sum(map(len, held)) == self.pipeline.topics.partitions

    def _own(self, slot: int) -> set[int]:
        """The partitions that one holds, by what it says, and none of the others."""
        others = [self._held(other) for other in self._running if other != slot]
        return self._held(slot).difference(*others)

    def _held(self, slot: int) -> set[int]:
        held: set[int] = set()
        for line in self._log(slot)[self._begins[slot] :].split(b"\n")[:-1]:  # the last is being written
            if b'"partitions_gained"' in line:
                held.update(msgspec.json.decode(line)["partitions"])
            elif b'"partitions_lost"' in line:
                held.difference_update(msgspec.json.decode(line)["partitions"])
        return held

    def _log(self, slot: int) -> bytes:
        path = self.config.parent / f"scorer-{slot}.log"
        return path.read_bytes() if path.exists() else b""

    def _last_words(self, slot: int, code: int) -> str:
        return f"scorer {slot} ended with {code}:\n{self._log(slot)[-3_000:].decode(errors='replace')}"
