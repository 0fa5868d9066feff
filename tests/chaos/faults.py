"""What can go wrong. Each begins while events come, leaves everything running again, and says what it did."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.chaos import crashing
from tests.chaos.faults_of_machines import (
    clock_jumps,
    cut_off,
    disk_full,
    locked_store,
    lost_store,
    slow_link,
)
from tests.chaos.product import FURTHER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.chaos.night import Night
    from tests.chaos.parts import Part

NOTHING = "nothing"
_SESSION_S = (1.0, 9.0)
"""A process that stands still so long is given up by its group, or is not."""
_RARE = ("init", "restore", "start", "recovered", "publish", "deltas", "snapshot", "routed")
"""Points that are not reached several times a second."""
_REACHED_S = 25.0


def nothing(night: Night) -> str:
    """Three seconds as they should be."""
    night.wait(3, 3)
    return "everything runs"


def kill_scorer(night: Night) -> str:
    return _killed(night, night.scorer())


def kill_keeper(night: Night) -> str:
    return _killed(night, night.keeper)


def kill_broker(night: Night) -> str:
    return _killed(night, night.node(leading=False).part)


def kill_controller(night: Night) -> str:
    return _killed(night, night.node(leading=True).part)


def kill_everything_of_ours(night: Night) -> str:
    """Both scorers and the keeper at one moment."""
    running = [part for part in night.product.parts.values() if part.runs]
    for part in running:
        part.kill()
    night.wait(0.5, 3)
    for part in running:
        part.start()
    return ", ".join(part.name for part in running)


def stop_scorer(night: Night) -> str:
    part = night.scorer()
    code = part.stop()
    night.wait(0.5, 3)
    part.start()
    return f"{part.name}, exit code {code}"


def freeze_scorer(night: Night) -> str:
    return _frozen(night, night.scorer(), *_SESSION_S)


def freeze_keeper(night: Night) -> str:
    return _frozen(night, night.keeper, *_SESSION_S)


def freeze_broker(night: Night) -> str:
    return _frozen(night, night.node(leading=False).part, *_SESSION_S)


def freeze_controller(night: Night) -> str:
    return _frozen(night, night.node(leading=True).part, *_SESSION_S)


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
    """A third scorer comes and goes, and is killed half of the times."""
    part = night.product.parts[FURTHER]
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
    return f"a third scorer joined three times: {', '.join(ends)}"


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
        part = night.keeper if point in crashing.KEEPER else night.scorer()
        times = 1 if any(word in point for word in _RARE) else night.random.randint(1, 6)
        part.kill()
        since = part.size()
        part.start(point=point, times=times)
        if point in crashing.KEEPER:
            night.ready(part, since)
            night.change_rule()
            night.tell_outcomes()
        if not night.ended(part, _REACHED_S):
            part.kill()
            part.start()
            return f"{part.name}: not reached"
        part.start()
        return f"{part.name}, time {times}"

    return crash


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


FAULTS: Mapping[str, Callable[[Night], str]] = {
    NOTHING: nothing,
    "scorer killed": kill_scorer,
    "keeper killed": kill_keeper,
    "broker killed": kill_broker,
    "controller killed": kill_controller,
    "scorers and keeper killed": kill_everything_of_ours,
    "scorer stopped": stop_scorer,
    "scorer frozen": freeze_scorer,
    "keeper frozen": freeze_keeper,
    "broker frozen": freeze_broker,
    "controller frozen": freeze_controller,
    "slow broker": slow_broker,
    "trainer killed": kill_trainer,
    "rebalance storm": rebalance_storm,
    "poison": poison,
    "burst": burst,
    "model that hangs": model_that_hangs,
    "scorer cut off": cut_off("scorer"),
    "keeper cut off": cut_off("keeper"),
    "broker cut off": cut_off("broker"),
    "controller cut off": cut_off("controller"),
    "slow link to a broker": slow_link,
    "keeper's disk full": disk_full("store"),
    "snapshots' disk full": disk_full("snapshots"),
    "broker's disk full": disk_full("broker"),
    "scorer's clock jumps": clock_jumps("scorer"),
    "keeper's clock jumps": clock_jumps("keeper"),
    "store held by another": locked_store,
    "store damaged": lost_store,
    **{f"killed at {point}": crash_at(point) for point in crashing.POINTS},
}
"""By the name in the table."""
