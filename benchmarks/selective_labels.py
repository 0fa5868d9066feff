"""Precision without the outcomes of what is stopped: how many intervals hold the truth?

A hundred worlds of cards, some riskier than others. The gate stops by the least expected cost. Of what it
stops, analysts look at some, more at frauds than at others, and the rest stays unlabelled. Labels and weights
come from the product's own SQL, precision and its 95 % interval from its own measures.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from feature_store import duck
from feature_store.declaration.decision import Costs
from feature_store.declaration.outcomes import ControlGroup
from feature_store.declaration.pipeline import Pipeline
from streams.policies.actions import ACTION_NAMES, APPROVE
from streams.policies.control import ControlDraw
from streams.policies.money import cheapest_actions
from training.dataset.labels import matured_labels
from training.evaluation.measure import measure_figures
from training.evaluation.operating import cheapest
from training.evaluation.ranking import effective_sample_size
from training.evaluation.scored import Scored

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from streams.policies.actions import Strengths
    from training.evaluation.measured import Figure

WORLDS = 100
RESAMPLES = 400
RATE = 0.1
EVENTS, CARDS = 8_000, 2_000
DAY = 86_400_000_000
START = 1_767_225_600_000_000  # 2026-01-01
COSTS = Costs(amount="amount", review=4, false_decline=40)
PIPELINE = Pipeline.model_validate(
    {
        "pipeline": "selective",
        "event": {
            "id": "event_id",
            "time": "event_time",
            "key": "card",
            "fields": {
                "event_id": "string",
                "event_time": "timestamp",
                "card": "integer",
                "amount": "float",
            },
        },
        "features": {"rows": {"size": "amount"}},
        "outcomes": {"sources": {"analyst": "1d", "chargeback": "7d"}},
        "decision": {"costs": {"amount": "amount", "review": 4, "false_decline": 40}},
    }
)


_STOPPED = "SELECT count(*) AS events FROM scored WHERE policy_action <> 'approve'"
_FITTED = "label, weight, fit_weight, policy_action <> 'approve' AS stopped"


@dataclass(frozen=True)
class World:
    """What happens, whatever is seen of it. ``told``: an analyst would look at it, were it stopped."""

    card: NDArray[np.int64]
    amount: NDArray[np.float64]
    score: NDArray[np.float64]
    fraud: NDArray[np.bool_]
    told: NDArray[np.bool_]
    actions: Strengths


@dataclass(frozen=True)
class Arm:
    """A way to judge. ``rate`` is the control group's; ``twice``: what analysts said counts beside it."""

    name: str
    rate: float
    twice: bool = False


ARMS = (
    Arm("control group", RATE),
    Arm("control group, and what analysts said", RATE, twice=True),
    Arm("no control group", 0.0),
)


def a_world(seed: int, events: int = EVENTS) -> World:
    """Cards with risks of their own, amounts, and a model that sees the risk through noise."""
    random = np.random.default_rng(seed)
    card = random.integers(0, events * CARDS // EVENTS, events)
    risk = random.normal(-4.5, 1.0, events * CARDS // EVENTS)[card] + random.normal(0, 1.5, events)
    amount = random.gamma(2.0, 40.0, events)
    fraud = random.random(events) < _probability(risk)
    score = _probability(risk + random.normal(0, 0.7, events))
    told = random.random(events) < np.where(fraud, 0.5, 0.1)
    return World(card, amount, score, fraud, told, cheapest_actions(score, score, amount, COSTS))


def truth(events: int = 2_000_000) -> float:
    """The gate's precision in the long run."""
    world = a_world(0, events)
    return float(np.mean(world.fraud[world.actions != APPROVE]))


def judged(worlds: Sequence[World], arm: Arm) -> list[Figure]:
    """Of each world: precision and its interval by what is seen of it once everything has matured."""
    tables = [_seen(number, world, arm) for number, world in enumerate(worlds)]
    log, said = (pa.concat_tables(part) for part in zip(*tables, strict=True))
    of_world, scored = _labelled(log, said, only_to_fit=arm.twice)
    if arm.twice:
        scored = replace(scored, weight=np.where(scored.weight > 0, scored.weight, 1.0))
    stopped = cheapest(scored, COSTS) != APPROVE  # precision is of these alone, and the others are many
    return [
        measure_figures(scored.where(stopped & (of_world == number)), COSTS, resamples=RESAMPLES).precision
        for number in range(len(worlds))
    ]


def covered(figure: Figure, true: float) -> bool:
    """Whether the interval holds the truth."""
    return figure.low is not None and figure.high is not None and figure.low <= true <= figure.high


def main() -> None:
    """Print two tables: what models are judged by, and what they are fitted by."""
    true = truth()
    worlds = [a_world(seed) for seed in range(1, WORLDS + 1)]
    _print_judged(worlds, true)
    print("\n| fitted by | frauds among 100 stopped | as many frauds as, a world |")
    print("|---|---|---|")
    for name, share, frauds in fitted(worlds):
        print(f"| {name} | {share:.1%} | {frauds:.0f} |")
    print(f"| the truth | {true:.1%} | |")


def fitted(worlds: Sequence[World]) -> Iterator[tuple[str, float, float]]:
    """Ways to weigh what is stopped in a fit: the share of fraud seen, and the effective frauds a world."""
    tables = [_seen(number, world, ARMS[0]) for number, world in enumerate(worlds)]
    log, said = (pa.concat_tables(part) for part in zip(*tables, strict=True))
    with duck.memory(threads=1) as connection:
        connection.register("scored", log)
        connection.register("outcomes", said)
        counts = connection.sql(_STOPPED).to_arrow_table()
        table = matured_labels(connection, PIPELINE, START + 8 * DAY, only_to_fit=True, columns=_FITTED)
    table = table.filter(table["stopped"])
    fraud, control = table["label"].to_numpy() == "fraud", table["weight"].to_numpy() > 0
    stopped = counts["events"].to_numpy()[0]
    rest = (stopped - np.sum(~control)) / np.sum(control)
    ways = {
        "the control group alone": table["weight"].to_numpy(),
        "the same, and what analysts said as 1": np.where(control, table["weight"].to_numpy(), 1.0),
        "analysts as 1, the control group for the rest": np.where(control, rest, 1.0),
        "`fit_weight`: analysts and control group, by label": table["fit_weight"].to_numpy(),
    }
    for name, weight in ways.items():
        share = float(np.average(fraud, weights=weight))
        yield name, share, effective_sample_size(weight[fraud]) / len(worlds)


def _print_judged(worlds: Sequence[World], true: float) -> None:
    print(
        f"The gate's precision is {true:.3f}. {WORLDS} worlds of {EVENTS:,} events of {CARDS:,} cards; a "
        f"control group of {RATE:.0%} where there is one.\n"
    )
    print("| judged by | mean estimate | mean width of the 95 % interval | intervals that hold the truth |")
    print("|---|---|---|---|")
    for arm in ARMS:
        figures = judged(worlds, arm)
        values = [figure.value or 0.0 for figure in figures]
        widths = [(figure.high or 0.0) - (figure.low or 0.0) for figure in figures]
        hits = sum(covered(figure, true) for figure in figures)
        print(f"| {arm.name} | {np.mean(values):.3f} | {np.mean(widths):.3f} | {hits} of {len(figures)} |")


def _seen(number: int, world: World, arm: Arm) -> tuple[pa.Table, pa.Table]:
    """The feature log and the outcomes, as the keeper would have stored them."""
    rows = len(world.card)
    ids = [f"{number}-{row}" for row in range(rows)]
    draw = ControlDraw(ControlGroup(rate=arm.rate, key="benchmark"))
    done, propensity = draw.let_through(ids, world.actions, np.zeros(rows, bool))
    through = done == APPROVE
    times = pa.array(np.full(rows, START), pa.timestamp("us"))
    log = {
        "event_id": ids,
        "event_time": times,
        "arrived_at": times,
        "policy_action": np.array(ACTION_NAMES)[world.actions],
        "action": np.array(ACTION_NAMES)[done],
        "propensity": propensity,
        "world": np.full(rows, number),
        "card": world.card,
        "amount": world.amount,
        "score": world.score,
    }
    said = {
        "event_id": ids,
        "label": np.where(world.fraud, "fraud", "legitimate"),
        "source": np.where(through, "chargeback", "analyst"),
        "arrived_at": times,
        "partition": np.zeros(rows, np.int32),
        "offset": np.arange(rows),
    }
    return pa.table(log), pa.table(said).filter(pa.array(np.where(through, world.fraud, world.told)))


def _labelled(log: pa.Table, said: pa.Table, *, only_to_fit: bool) -> tuple[NDArray[np.int64], Scored]:
    """The world of each labelled event, and the event."""
    with duck.memory(threads=1) as connection:
        connection.register("scored", log)
        connection.register("outcomes", said)
        columns = "world, label, score, weight, card, amount"
        table = matured_labels(
            connection, PIPELINE, START + 8 * DAY, columns=columns, only_to_fit=only_to_fit
        )
    return table["world"].to_numpy(), Scored(
        fraud=table["label"].to_numpy() == "fraud",
        score=table["score"].to_numpy(),
        weight=table["weight"].to_numpy(),
        entity=table["card"].to_numpy(),
        time=np.full(len(table), START),
        amount=table["amount"].to_numpy(),
    )


def _probability(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = 1 / (1 + np.exp(-log_odds))
    return found


if __name__ == "__main__":
    main()
