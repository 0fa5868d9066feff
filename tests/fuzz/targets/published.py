"""What the topics of models and policies say: taken, or refused in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from feature_store.errors import ContractError, PolicyError
from streams.messages import (
    Calibration,
    EntityList,
    Knot,
    ListEntry,
    PolicyDocument,
    PolicyRule,
    Release,
    Snooze,
    Thresholds,
)
from streams.messages.model import (
    EARLIER_RELEASES,
    ScoreBins,
    artifact_key,
    earlier_key,
    manifest_key,
    release_key,
)
from streams.models.assembly import ModelsTopic
from streams.models.calibration import scores_of
from streams.models.matching import match_features
from streams.policies.active import compile_policy
from tests.fuzz.small import small_pipeline
from tests.fuzz.target import MARK, Ready, Target, pieces
from tests.support.models import manifest_of

if TYPE_CHECKING:
    from pathlib import Path

_MOST_RECORDS = 12
_MARGINS = np.array([-1e300, -700.0, -1.0, -0.5, 0.0, 1e-9, 0.5, 3.0, 1e300])


def _models(folder: Path) -> Ready:
    """Records one after the other; every version that is there then is asked for."""
    pipeline = small_pipeline(folder)

    def check(data: bytes) -> None:
        topic = ModelsTopic(pipeline)
        records = pieces(data, 2 * _MOST_RECORDS)
        for key, value in zip(records[::2], records[1::2], strict=True):
            try:
                topic.feed(key, value or None)
            except ContractError:
                continue
        assert len(topic.earlier) <= EARLIER_RELEASES
        for version, manifest in topic.manifests.items():
            try:
                topic.artifact(version)
                match_features(manifest, pipeline.feature_vector)
            except ContractError:
                continue
            scores = scores_of(_MARGINS, manifest.calibration)
            assert ((scores >= 0) & (scores <= 1)).all()
            assert (np.diff(scores) >= 0).all()

    artifact = b"tree" * 10
    manifest = manifest_of(pipeline, "m1", artifact)
    knots = Calibration(knots=[Knot(-1.0, -2.0), Knot(0.5, 1.0)])
    bins = ScoreBins([0.1, 0.2], [0.5, 0.3, 0.2])
    full = msgspec.structs.replace(manifest, calibration=knots, score_bins=bins)
    release = Release(
        3, "m1", "2026-01-05T00:00:00Z", "a test", shadows=["m2"], canary="m3", canary_share=0.1
    )
    earlier = msgspec.json.encode(msgspec.structs.replace(release, epoch=2))
    chunk = artifact_key("m1", 0), artifact
    seeds = [
        MARK.join([*chunk, manifest_key("small", "m1"), msgspec.json.encode(each), release_key("small"),
                   msgspec.json.encode(release), earlier_key("small", 2), earlier])
        for each in (manifest, full)
    ]  # fmt: skip
    words = ['"length":', '"chunks":1', '"store":', '"epoch":9007199254740993', '"sha256":', "1e400", "-1"]
    return Ready(check, seeds, [MARK, *chunk, *(word.encode() for word in words)])


_CONDITIONS = [
    "amount > 500", "card like 'a%'", "shop in (1, 2)", "regexp_matches(card, '(a+)+$')",
    "score > 0.5 or margin > 1",
    "card_count_1h / 0 > 1", "date_diff('day', event_time, event_time) = 0", "cast(card as integer) = 1",
    "substr(card, 1, 99999999) = ''",
    "shop::varchar = '1'",
    "not online", "weight is null", "concat(card, card) = ''",
]  # fmt: skip


def _policies(folder: Path) -> Ready:
    pipeline = small_pipeline(folder)
    decoder = msgspec.json.Decoder(PolicyDocument)

    def check(data: bytes) -> None:
        try:
            compile_policy(pipeline, decoder.decode(data), 0)
        except (PolicyError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return

    rules = [PolicyRule(f"rule_{number}", when, "review") for number, when in enumerate(_CONDITIONS)]
    lists = [
        EntityList("bad", "deny", "card", [ListEntry("c1"), ListEntry("c2", "2026-02-01T00:00:00Z", "why")]),
        EntityList("good", "allow", "shop", [ListEntry(7)]),
    ]
    snoozes = [Snooze("card", "c3", "2026-01-06T00:00:00Z")]
    made = ("small", 1, "2026-01-05T00:00:00Z", "somebody", "a test")
    documents = [PolicyDocument(*made, [each]) for each in rules]
    documents += [
        PolicyDocument(*made, rules, lists, snoozes, Thresholds(0.2, 0.9), 1.5),
        PolicyDocument(*made, thresholds=Thresholds(None, 0.5)),
    ]
    words = [
        *_CONDITIONS,
        '"until":"0001-01-01T00:00:00+14:00"',
        '"until":"9999-12-31T23:59:59-14:00"',
        "1e400",
    ]
    return Ready(check, list(map(msgspec.json.encode, documents)), [word.encode() for word in words])


TARGETS = [
    Target("models-topic", "chunks, manifests and releases, record by record", _models),
    Target("policy-topic", "policy documents, made ready to act", _policies),
]
