"""Models in the console: what is told of them, and releases that people make there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec
import pytest

from console.web.stage_words import stage_words
from feature_store.declaration.release import ReleaseSpec
from tests.unit.keeper.test_publish import manifest
from tests.unit.keeper.written import START, until, write_batches, write_outcomes
from training.contract import CARD, Check, TrainingResult
from training.keeper.release.lineage import lineage_of
from training.keeper.release.registry import ModelState
from training.keeper.sink import Sink
from training.keeper.snapshot import version_of
from training.keeper.views.models import Version
from training.releases import shadow

if TYPE_CHECKING:
    from pathlib import Path

    from streams.messages import Release
    from tests.support.web import Person
    from training.keeper.audit import Change
    from training.keeper.desk import Desk

DAY = 86_400_000_000
SEE_OTHER = 303


@pytest.fixture
def versions(desk: Desk) -> list[str]:
    """A champion, the champion before it, and a shadow: in the order in which they were published."""
    pipeline, publisher = desk.parts.pipeline, desk.parts.publisher
    found = [manifest(pipeline, number, b"trees") for number in (1, 2, 3)]
    for each in found[:2]:
        publisher.publish(each, b"trees", f"{each.version} passed")
    publisher.publish(found[2], b"trees", "the third passed", step=shadow(found[2].version))
    return [each.version for each in found]


def acting(desk: Desk) -> Release:
    release = desk.parts.publisher.release()
    assert release is not None
    return release


def changes(desk: Desk) -> list[Change]:
    """What was changed in the console, the newest first."""
    return [each for each in desk.audit.newest() if each.via == "console"]


def refused(desk: Desk) -> str:
    """A version that the gate refused, with its reasons."""
    run = desk.runs.request("schedule", START)
    desk.runs.start(run, None)
    checks = [
        Check("too_costly", passed=True, said="1 byte"),
        Check("no_better_than_chance", passed=False, said="0.5 < 0.6 & worse"),
    ]
    why = [check.reason for check in checks if not check.passed]
    metrics = {"average_precision": 0.5, "average_precision_low": 0.25, "average_precision_high": 0.75}
    result = TrainingResult(run.run_id, "refused", why, START, metrics=metrics, checks=checks)
    version = version_of(run, desk.parts.pipeline)
    desk.parts.registry.add(
        version, run.run_id, None, lineage_of(run, result, None, None, desk.parts.pipeline)
    )
    desk.parts.registry.refuse(version, START, why[0])
    desk.runs.end(run, "refused", why[0], result)
    return version


def test_a_promotion_is_a_release_with_who_and_why_and_a_line_of_the_trail(
    desk: Desk, operator: Person, versions: list[str]
) -> None:
    before = acting(desk)
    page = operator.get(f"/models/{versions[2]}").text
    assert f'name="epoch" value="{before.epoch}"' in page
    answer = operator.post(
        f"/models/{versions[2]}/promote", epoch=str(before.epoch), reason="<script>x</script>"
    )
    assert (answer.status_code, answer.headers["location"]) == (
        SEE_OTHER,
        f"/console/models?released={before.epoch + 1}",
    )
    release = acting(desk)
    assert (release.champion, release.by) == (versions[2], "hand")
    assert release.why == "promote by operator: <script>x</script>"
    (line,) = [each for each in desk.audit.newest() if each.what == "promote"]
    assert (line.who, line.role, line.via, line.subject) == ("operator", "operator", "console", versions[2])
    assert (line.before["champion"], line.after["champion"]) == (versions[1], versions[2])
    for path in ("/models", f"/models/{versions[2]}"):
        told = operator.get(path).text
        assert "<script>x" not in told
        assert "&lt;script&gt;x" in told


def test_a_page_that_is_out_of_date_releases_nothing(
    desk: Desk, operator: Person, versions: list[str]
) -> None:
    old = acting(desk).epoch
    desk.parts.publisher.unshadow(versions[2])
    for path in (f"/models/{versions[0]}/promote", "/rollback"):
        answer = operator.post(path, epoch=str(old), reason="late")
        assert answer.status_code == 409
        assert f"release {old + 1} came after {old}" in answer.text
    assert acting(desk).epoch == old + 1
    assert changes(desk) == []


def test_canary_and_shadows_come_and_go_and_a_rollback_returns(
    desk: Desk, operator: Person, versions: list[str]
) -> None:
    first, second, third = versions

    def asked(path: str, **fields: str) -> Release:
        answer = operator.post(path, epoch=str(acting(desk).epoch), reason="a test", **fields)
        assert answer.status_code == SEE_OTHER, answer.text
        return acting(desk)

    assert asked(f"/models/{third}/unshadow").shadows == []
    assert asked(f"/models/{first}/shadow").shadows == [first]
    canary = asked(f"/models/{third}/canary", percent="12.5")
    assert (canary.canary, canary.canary_share) == (third, 0.125)
    assert "12.5 %" in operator.get("/models").text
    assert asked("/rollback").canary is None
    assert asked("/rollback").champion == first
    told = [(each.what, each.subject) for each in changes(desk)]
    assert told[:2] == [("rollback", second), ("rollback", third)]
    assert acting(desk).champion == first


def test_a_form_that_says_too_little_does_nothing(desk: Desk, operator: Person, versions: list[str]) -> None:
    before = acting(desk)
    for path, fields, said in (
        ("promote", {"reason": " "}, "Say why"),
        ("promote", {"epoch": "x"}, "reload the page"),
        ("canary", {"percent": "100"}, "below 100 %"),
        ("canary", {"percent": "much"}, "number of percent"),
    ):
        given = {"epoch": str(before.epoch), "reason": "a test", **fields}
        answer = operator.post(f"/models/{versions[0]}/{path}", **given)
        assert (answer.status_code, said in answer.text) == (400, True), path
    assert acting(desk) == before


def test_only_operators_release(desk: Desk, analyst: Person, viewer: Person, versions: list[str]) -> None:
    before = acting(desk)
    for person in (analyst, viewer):
        for page in ("/models", f"/models/{versions[0]}"):
            assert 'name="reason"' not in person.get(page).text
        for path in (f"/models/{versions[0]}/promote", "/rollback"):
            answer = person.post(path, epoch=str(before.epoch), reason="mine")
            assert answer.status_code == 403
    assert acting(desk) == before


def test_a_refused_version_shows_why_the_gate_refused_it(desk: Desk, viewer: Person) -> None:
    version = refused(desk)
    page = viewer.get(f"/models/{version}").text
    assert "0.5 &lt; 0.6 &amp; worse" in page
    assert "0.5000" in page
    assert "(0.2500 to 0.7500)" in page
    assert "cannot be released" in page
    assert "1 of 2 checks" in page
    listed = viewer.get("/models").text
    assert "no_better_than_chance" in listed
    assert '<line x1="25.0" y1="5" x2="75.0" y2="5"/><circle cx="50.0"' in listed
    assert viewer.get("/models/nothing").status_code == 404


def test_live_quality_and_shadows_stand_beside_what_acted(desk: Desk, viewer: Person) -> None:
    pipeline, bootstrap, store = desk.parts.pipeline, desk.parts.settings.bootstrap, desk.parts.store
    write_batches(pipeline, bootstrap, 0, batches=1, size=40)
    fraud = {"label": "fraud", "observed_at": "2026-01-02T00:00:00Z", "source": "chargeback"}
    said = [msgspec.json.encode({**fraud, "event_id": f"e{at % 2}-{39 - at // 2}"}) for at in range(8)]
    write_outcomes(pipeline, bootstrap, said, START + DAY)
    sink = Sink(desk.parts)
    until(lambda: store.execute("SELECT count(*) FROM outcomes").fetchone() == (8,), sink.step)
    until(lambda: store.execute("SELECT count(*) FROM decisions").fetchone() == (80,), sink.step)
    sink.close()
    store.execute("UPDATE scored SET model = 'v1', score = 0.5, margin = 0.0")
    store.execute(
        "UPDATE decisions SET message = replace(message, '\"shadow\":{}', "
        "'\"shadow\":{\"v2\":' || source_offset / 100.0 || '}')"
    )
    desk.parts.clock.observe(START + 9 * DAY)
    until(lambda: "surely better" in viewer.get("/models").text, lambda: None, most=200)
    page = viewer.get("/models").text
    assert "/console/models/v1" in page
    assert "As of 2026-01-10" in page


def test_what_a_candidate_still_has_to_show_is_said() -> None:
    spec = ReleaseSpec.model_validate(
        {"shadow": {"stays": "2d", "min_frauds": 20}, "canary": {"stays": "12h", "share": 0.1}}
    )

    def words(state: Literal["shadow", "canary", "champion"], by: Literal["policy", "hand"]) -> str | None:
        states = [ModelState("v1", state, START, 1, by, "a test")]
        version = Version(name="v1", state=state, kept=True, states=states)
        return stage_words(version, spec, START + DAY // 2)

    by_policy = words("shadow", "policy")
    assert by_policy is not None
    assert "a shadow for 12 h 0 min. It becomes the canary after 2d and 20 matured frauds" in by_policy
    assert "the champion after 12h and 500 events" in str(words("canary", "policy"))
    assert "until a person says otherwise" in str(words("canary", "hand"))
    assert words("champion", "policy") is None


def test_a_card_is_shown_where_it_can_do_nothing(desk: Desk, viewer: Person) -> None:
    version = refused(desk)
    assert viewer.get(f"/models/{version}/card").status_code == 404
    folder: Path = desk.parts.run_folder(version.removeprefix(f"{desk.parts.pipeline.name}-"))
    folder.mkdir(parents=True)
    (folder / CARD).write_text("<h1>A card</h1>", encoding="utf-8")
    answer = viewer.get(f"/models/{version}/card")
    assert answer.text == "<h1>A card</h1>"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert "script" not in policy
    assert policy.endswith("; sandbox")
    page = viewer.get(f"/models/{version}").text
    assert f'src="/console/models/{version}/card"' in page
    assert "sandbox loading" in page
