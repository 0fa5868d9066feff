"""What can go wrong. Each begins while events come, leaves everything running again, and says what it did."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from tests.chaos import crashing
from tests.chaos.faults_of_machines import (
    clock_jumps,
    cut_off,
    disk_full,
    far_away,
    locked_store,
    lost_store,
    slow_link,
)
from tests.chaos.night import BROKER, CONTROLLER, Unavailable
from tests.chaos.shapes import KEEPER, SCORER, SINK
from tests.chaos.table import NOT_REACHED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from random import Random

    from tests.chaos.night import Night
    from tests.chaos.parts import Part
    from tests.chaos.shapes import Shape

NOTHING = "nothing"
_SESSION_S = (1.0, 9.0)
"""A process that stands still so long is given up by its group, or is not."""
_RARE = (
    "init",
    "restore",
    "start",
    "recovered",
    "publish",
    "deltas",
    "snapshot",
    "routed",
    "assigned",
    "given",
)
"""Points that are not reached several times a second."""
_REACHED_S = 40.0


def nothing(night: Night) -> str:
    """Three seconds as they should be."""
    night.wait(3, 3)
    return "everything runs"


def kill(who: str) -> Callable[[Night], str]:
    """SIGKILL."""
    return lambda night: _killed(night, _victim(night, who))


def freeze(who: str) -> Callable[[Night], str]:
    """SIGSTOP for some seconds."""
    return lambda night: _frozen(night, _victim(night, who), *_SESSION_S)


def kill_everything_of_ours(night: Night) -> str:
    """Scorers, keeper and sink workers at one moment."""
    running = [part for part in night.product.parts.values() if part.runs]
    for part in running:
        part.kill()
    night.wait(0.5, 3)
    for part in running:
        part.start()
    return ", ".join(part.name for part in running)


def stop_scorer(night: Night) -> str:
    part = night.part(SCORER)
    code = part.stop()
    night.wait(0.5, 3)
    part.start()
    return f"{part.name}, exit code {code}"


def slow_broker(night: Night) -> str:
    """It runs a tenth of the time."""
    part = night.node().part
    for _ in range(15):
        part.send(signal.SIGSTOP)
        night.wait(0.3, 0.3)
        part.send(signal.SIGCONT)
        night.wait(0.03, 0.03)
    return part.name


def kill_trainer(night: Night) -> str:
    """A training run is asked for; its process is killed as soon as there is one."""
    night.ask("train", "--no-wait")
    for _ in range(100):
        night.wait(0.1, 0.1)
        if children := night.keeper.children():
            night.wait(0, 1)
            for child in children:
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            return f"{len(children)} of the keeper's processes"
    return "none was started"


def rebalance_storm(night: Night) -> str:
    """A further scorer comes and goes, and is killed half of the times."""
    part = night.product.parts[night.product.shape.further]
    ends = []
    for _ in range(3):
        part.start()
        night.wait(2, 5)
        if night.random.random() < 0.5:
            part.kill()
            ends.append("killed")
        else:
            part.stop()
            ends.append("stopped")
    return f"{part.name} joined three times: {', '.join(ends)}"


def poison(night: Night) -> str:
    count = night.random.randint(50, 400)
    night.load.poison(count)
    return f"{count} records that are no events"


def burst(night: Night) -> str:
    count = night.random.randint(1_000, 3_000)
    night.load.burst(count)
    return f"{count} events at once"


def model_that_hangs(night: Night) -> str:
    """Its trees lead in a circle; who asks them would never come back."""
    night.product.publish_a_circle(night.keeper)
    night.wait(4, 6)
    night.ask("models", "promote", f"m{night.random.randrange(2)}")
    return "published as the champion; a sound one later"


def crash_at(point: str) -> Callable[[Night], str]:
    """The part of the point dies at it."""

    def crash(night: Night) -> str:
        part = night.part(crashing.POINTS[point].role)
        times = 1 if any(word in point for word in _RARE) else night.random.randint(1, 6)
        part.kill()
        since = part.size()
        part.start(point=point, times=times)
        if part is night.keeper:
            night.ready(part, since)
            night.change_rule()
            night.tell_outcomes()
        further = night.product.parts[night.product.shape.further]
        if point == crashing.GIVING_UP:
            night.ready(part, since, b'"partitions_gained"')
            further.start()
        reached = night.ended(part, _REACHED_S)
        part.kill()
        part.start()
        if point == crashing.GIVING_UP:
            night.wait(4, 10)
            further.stop()
        if not reached:
            return f"{part.name}: {NOT_REACHED}"
        return f"{part.name}, time {times}"

    return crash


def stacked(night: Night) -> str:
    """Two or three faults of different parts of the system, at once."""
    drawn = _stack(night)
    with ThreadPoolExecutor(len(drawn)) as threads:
        playing = {name: threads.submit(FAULTS[name].play, night) for name in drawn}
    return "; ".join(f"{name}: {_came_of(each)}" for name, each in playing.items())


def _stack(night: Night) -> list[str]:
    names = {name for name, fault in faults_of(night.product.shape).items() if fault.of}
    drawn = night.random.sample(_STACKED, night.random.choice((2, 3)))
    own = (sorted(name for name in names if FAULTS[name].of == of) for of in drawn)
    return [night.random.choice(each) for each in own if each]


def _came_of(playing: Future[str]) -> str:
    try:
        return playing.result()
    except Unavailable as why:
        return f"left out, {why}"


def _victim(night: Night, who: str) -> Part:
    if who in (BROKER, CONTROLLER):
        return night.node(leading=who == CONTROLLER).part
    return night.part(who)


def _killed(night: Night, part: Part) -> str:
    part.kill()
    night.wait(0.2, 4)
    part.start()
    return part.name


def _frozen(night: Night, part: Part, least: float, most: float) -> str:
    seconds = night.random.uniform(least, most)
    part.send(signal.SIGSTOP)
    night.wait(seconds, seconds)
    part.send(signal.SIGCONT)
    return f"{part.name} for {seconds:.1f} s"


class Fault(NamedTuple):
    """``play`` begins while events come, leaves everything running, and says what it did."""

    play: Callable[[Night], str]
    of: str = ""
    """What it happens to; faults of different things may be stacked. Empty: it is played alone."""
    role: str = SCORER
    """Who must be there for it."""


def _of(role: str) -> str:
    return role if role in (KEEPER, SINK) else SCORER


_NODE, _INPUT = "node", "input"
_STACKED = (SCORER, KEEPER, _NODE, SINK, _INPUT)
FAULTS: Mapping[str, Fault] = {
    NOTHING: Fault(nothing),
    "scorer killed": Fault(kill(SCORER), SCORER),
    "keeper killed": Fault(kill(KEEPER), KEEPER),
    "sink worker killed": Fault(kill(SINK), SINK, SINK),
    "broker killed": Fault(kill(BROKER), _NODE),
    "controller killed": Fault(kill(CONTROLLER), _NODE),
    "all of ours killed": Fault(kill_everything_of_ours),
    "scorer stopped": Fault(stop_scorer, SCORER),
    "scorer frozen": Fault(freeze(SCORER), SCORER),
    "keeper frozen": Fault(freeze(KEEPER), KEEPER),
    "sink worker frozen": Fault(freeze(SINK), SINK, SINK),
    "broker frozen": Fault(freeze(BROKER), _NODE),
    "controller frozen": Fault(freeze(CONTROLLER), _NODE),
    "slow broker": Fault(slow_broker, _NODE),
    "trainer killed": Fault(kill_trainer),
    "rebalance storm": Fault(rebalance_storm, SCORER),
    "poison": Fault(poison, _INPUT),
    "burst": Fault(burst, _INPUT),
    "model that hangs": Fault(model_that_hangs),
    "scorer cut off": Fault(cut_off(SCORER), SCORER),
    "keeper cut off": Fault(cut_off(KEEPER), KEEPER),
    "sink worker cut off": Fault(cut_off(SINK), SINK, SINK),
    "broker cut off": Fault(cut_off(BROKER), _NODE),
    "controller cut off": Fault(cut_off(CONTROLLER), _NODE),
    "slow link to a broker": Fault(slow_link, _NODE),
    "delay to a broker": Fault(far_away(BROKER), _NODE),
    "delay to the controller": Fault(far_away(CONTROLLER), _NODE),
    "delay to a scorer": Fault(far_away(SCORER), SCORER),
    "delay to the keeper": Fault(far_away(KEEPER), KEEPER),
    "loss to a broker": Fault(far_away(BROKER, lossy=True), _NODE),
    "loss to a scorer": Fault(far_away(SCORER, lossy=True), SCORER),
    "keeper's disk full": Fault(disk_full("store"), KEEPER),
    "snapshots' disk full": Fault(disk_full("snapshots")),
    "broker's disk full": Fault(disk_full(BROKER), _NODE),
    "scorer's clock jumps": Fault(clock_jumps(SCORER), SCORER),
    "keeper's clock jumps": Fault(clock_jumps(KEEPER), KEEPER),
    "store held by another": Fault(locked_store),
    "store damaged": Fault(lost_store),
    "stacked": Fault(stacked),
    **{
        f"killed at {name}": Fault(crash_at(name), _of(point.role), point.role)
        for name, point in crashing.POINTS.items()
    },
}
"""By the name in the table."""
_STACKS = 6
"""How often faults are stacked while each other one is played once."""


def faults_of(shape: Shape) -> dict[str, Fault]:
    """Those that can happen to a system of this shape."""
    sinks = bool(shape.roles.get(SINK))
    never = crashing.WITHOUT_SINKS if sinks else crashing.BESIDE_SINKS
    left_out = {f"killed at {point}" for point in never}
    return {n: f for n, f in FAULTS.items() if shape.roles.get(f.role) and n not in left_out}


def drawn(chance: Random, shape: Shape, only: Sequence[str]) -> Iterator[str]:
    """Nothing, so that all is up; then all faults in a random order, again and again."""
    yield NOTHING
    own = faults_of(shape)
    names = [name for name in own if name != NOTHING and any(each in name for each in only or [""])]
    names += ["stacked"] * (_STACKS - 1) * ("stacked" in names)
    while True:
        yield from chance.sample(names, len(names))
