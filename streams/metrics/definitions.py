"""Every metric, its name typed once: a misspelt one is an error of types, not an empty graph.

Seconds, bytes and counts, as Prometheus wants them. Each process tells its own: a scrape adds whom it asked.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class Kind(StrEnum):
    """How a metric behaves."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Definition(NamedTuple):
    """One metric; ``bounds`` are the upper ends of a histogram's buckets."""

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()


class Stage(StrEnum):
    """The parts of a scorer's step, in their order."""

    DECODE = "decode"
    FEATURES = "features"
    SCORE = "score"
    DECIDE = "decide"
    ENCODE = "encode"
    COMMIT = "commit"


_STEP_BOUNDS = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
)  # fmt: skip
_LATENCY_BOUNDS = (
    0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.035, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0,
    2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
)  # fmt: skip
_BATCH_BOUNDS = (
    1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0, 100_000.0,
)  # fmt: skip

# -- every process that has metrics

PROCESS: Final = Definition(
    "sluicegate_process_info", Kind.GAUGE, "1; who answers", ("pipeline", "process", "version")
)

# -- scorers: what a step adds, counted once it is committed

RECORDS: Final = Definition("sluicegate_records_total", Kind.COUNTER, "records taken from the events topic")
DECISIONS: Final = Definition("sluicegate_decisions_total", Kind.COUNTER, "decisions by action", ("action",))
DEAD_LETTERS: Final = Definition(
    "sluicegate_dead_letters_total", Kind.COUNTER, "refused records by reason", ("reason",)
)
DUPLICATES: Final = Definition(
    "sluicegate_duplicates_total", Kind.COUNTER, "records that had been decided before"
)
FALLBACKS: Final = Definition(
    "sluicegate_fallbacks_total", Kind.COUNTER, "decisions without a model's score, by why", ("reason",)
)
STEPS: Final = Definition("sluicegate_steps_total", Kind.COUNTER, "committed micro-batches")
ABORTS: Final = Definition(
    "sluicegate_aborted_steps_total", Kind.COUNTER, "micro-batches that were rolled back, to be done again"
)
STEP_SECONDS: Final = Definition(
    "sluicegate_step_seconds", Kind.HISTOGRAM, "time in each stage of a step", ("stage",), _STEP_BOUNDS
)
BATCH_RECORDS: Final = Definition(
    "sluicegate_batch_records", Kind.HISTOGRAM, "records in a step", (), _BATCH_BOUNDS
)
LATENCY: Final = Definition(
    "sluicegate_latency_seconds",
    Kind.HISTOGRAM,
    "from Kafka's record time of an event until its step was committed, wall time",
    (),
    _LATENCY_BOUNDS,
)

# -- scorers: how they stand, told every second

PARTITIONS: Final = Definition("sluicegate_partitions", Kind.GAUGE, "partitions held")
LAG: Final = Definition(
    "sluicegate_lag_records", Kind.GAUGE, "records of a partition that wait to be taken", ("partition",)
)
STATE_ENTITIES: Final = Definition(
    "sluicegate_state_entities", Kind.GAUGE, "entities with window state, over all groups of features"
)
STATE_BYTES: Final = Definition("sluicegate_state_bytes", Kind.GAUGE, "memory of the window state")
STATE_IDS: Final = Definition("sluicegate_state_ids", Kind.GAUGE, "event ids remembered for duplicates")
EPOCH: Final = Definition("sluicegate_release_epoch", Kind.GAUGE, "epoch of the release that acts")
POLICY_OFFSET: Final = Definition(
    "sluicegate_policy_offset", Kind.GAUGE, "offset of the policy that acts; -1: the pipeline file's own"
)
MODEL: Final = Definition(
    "sluicegate_model_info", Kind.GAUGE, "1; the model that acts and what scores it", ("model", "engine")
)
SWAPS: Final = Definition(
    "sluicegate_swaps_total", Kind.COUNTER, "releases and policies taken between steps", ("what",)
)

# -- the keeper, told every few seconds

SINK_LAG: Final = Definition(
    "sluicegate_sink_lag_records", Kind.GAUGE, "records of a topic that are not in the store yet", ("topic",)
)
STORE_COUNTS: Final = Definition(
    "sluicegate_store_rows",
    Kind.GAUGE,
    "what the store holds, as `/status` of the keeper counts it",
    ("what",),
)
STORE_BYTES: Final = Definition("sluicegate_store_bytes", Kind.GAUGE, "size of the store's files")
RUNS: Final = Definition(
    "sluicegate_training_runs", Kind.GAUGE, "training runs in the store by state", ("state",)
)
TRAINING: Final = Definition("sluicegate_training_running", Kind.GAUGE, "1 while a training run goes on")
LAST_RUN: Final = Definition(
    "sluicegate_training_last_run_timestamp_seconds",
    Kind.GAUGE,
    "until when the newest run in each state reads, seconds since 1970 by the pipeline's clock",
    ("state",),
)
RUN_SECONDS: Final = Definition(
    "sluicegate_training_run_duration_seconds",
    Kind.GAUGE,
    "how long the newest run that ended took, wall time",
)
NEXT_RUN: Final = Definition(
    "sluicegate_training_next_run_timestamp_seconds",
    Kind.GAUGE,
    "when the next scheduled run is due, seconds since 1970 by the pipeline's clock",
)
CLOCK: Final = Definition(
    "sluicegate_clock_timestamp_seconds",
    Kind.GAUGE,
    "the pipeline's clock, seconds since 1970; 0: nothing seen yet",
)
PUBLISHED_EPOCH: Final = Definition(
    "sluicegate_published_epoch", Kind.GAUGE, "epoch of the newest release on the models topic"
)

SCORING: Final = Definition(
    "sluicegate_scoring_versions", Kind.GAUGE, "versions of the newest release by what they are", ("state",)
)

# -- explainers, per turn

EXPLANATIONS: Final = Definition(
    "sluicegate_explanations_total", Kind.COUNTER, "decisions whose exact reasons were written"
)
UNEXPLAINED: Final = Definition(
    "sluicegate_unexplained_total", Kind.COUNTER, "decisions that cannot be explained: their model is gone"
)
EXPLAINER_ABORTS: Final = Definition(
    "sluicegate_explainer_aborted_turns_total", Kind.COUNTER, "turns that were rolled back, to be done again"
)
EXPLAINER_LAG: Final = Definition(
    "sluicegate_explainer_lag_messages",
    Kind.GAUGE,
    "messages of the feature log, by partition, that wait for their explanations",
    ("partition",),
)

# -- the monitor, looked up at every scrape; it reads all that its topics keep at every start

CAUGHT_UP: Final = Definition(
    "sluicegate_monitor_caught_up", Kind.GAUGE, "1 once all has been read that was there when it started"
)
MONITORED: Final = Definition(
    "sluicegate_monitor_events_total",
    Kind.COUNTER,
    "decisions read, with those that were kept before it started",
)
OUTCOMES: Final = Definition(
    "sluicegate_monitor_outcomes_total", Kind.COUNTER, "outcomes read, by what they say", ("label",)
)
PROBLEMS: Final = Definition(
    "sluicegate_monitor_problems_total", Kind.COUNTER, "messages read again, or not understood", ("what",)
)
LABELLED: Final = Definition(
    "sluicegate_labelled_events", Kind.GAUGE, "matured events by their label", ("label",)
)
PRECISION: Final = Definition(
    "sluicegate_precision_ratio", Kind.GAUGE, "frauds among the matured events that were stopped"
)
RECALL: Final = Definition("sluicegate_recall_ratio", Kind.GAUGE, "stopped ones among the matured frauds")
DRIFT_PSI: Final = Definition(
    "sluicegate_drift_psi",
    Kind.GAUGE,
    "population stability index of a feature against what the champion was fitted on",
    ("feature",),
)
DRIFTED: Final = Definition(
    "sluicegate_drifted_features",
    Kind.GAUGE,
    "features by how they stand against what the champion was fitted on",
    ("state",),
)
MISSING: Final = Definition(
    "sluicegate_missing_ratio", Kind.GAUGE, "share of the newest events that lack a feature", ("feature",)
)
SCORE_PSI: Final = Definition(
    "sluicegate_score_drift_psi", Kind.GAUGE, "population stability index of the champion's score"
)
AGREEMENT: Final = Definition(
    "sluicegate_shadow_overlap_ratio",
    Kind.GAUGE,
    "of the events that the champion would stop, the share that a shadow would stop, too",
    ("shadow",),
)
SILENCE: Final = Definition(
    "sluicegate_silence_seconds", Kind.GAUGE, "since the newest decision that the monitor has read, real time"
)
STUCK: Final = Definition(
    "sluicegate_stuck_seconds",
    Kind.GAUGE,
    "for how long nothing moved on the worst partition where events wait",
)

SCORER: Final = (
    PROCESS, RECORDS, DECISIONS, DEAD_LETTERS, DUPLICATES, FALLBACKS, STEPS, ABORTS, STEP_SECONDS,
    BATCH_RECORDS, LATENCY, PARTITIONS, LAG, STATE_ENTITIES, STATE_BYTES, STATE_IDS, EPOCH, POLICY_OFFSET,
    MODEL, SWAPS,
)  # fmt: skip
KEEPER: Final = (
    PROCESS, SINK_LAG, STORE_COUNTS, STORE_BYTES, RUNS, TRAINING, LAST_RUN, RUN_SECONDS, NEXT_RUN, CLOCK,
    PUBLISHED_EPOCH, SCORING,
)  # fmt: skip
EXPLAINER: Final = (PROCESS, EXPLANATIONS, UNEXPLAINED, EXPLAINER_ABORTS, EXPLAINER_LAG)
MONITOR: Final = (
    PROCESS, CAUGHT_UP, MONITORED, OUTCOMES, PROBLEMS, LABELLED, PRECISION, RECALL, DRIFT_PSI, DRIFTED,
    MISSING, SCORE_PSI, AGREEMENT, SILENCE, STUCK,
)  # fmt: skip
ALL: Final = {each.name: each for each in (*SCORER, *KEEPER, *EXPLAINER, *MONITOR)}
"""By name; every process tells who it is."""
