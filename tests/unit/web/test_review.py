"""The review queue, and verdicts: outcomes on Kafka with who said them."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from console.web.visitor import Role
from feature_store.errors import BrokerError
from streams.kafka import headers_of, plain_producer, read_to_end
from streams.messages import Label, Outcome, Reason
from tests.support.web import a_desk, let_in
from tests.support.web_events import Stored
from tests.unit.keeper.written import MINUTE, START, until
from tests.unit.web.conftest import PIPELINE
from training.keeper.claims import LEASE_S, Claims
from training.keeper.sink import Sink
from training.keeper.verdicts import Verdict, Verdicts

if TYPE_CHECKING:
    from pathlib import Path

    from streams.broker import Broker
    from streams.kafka import Message
    from tests.support.web import Person
    from training.keeper.desk import Desk

ITEM = re.compile(r'data-event="([^"]+)"')


@pytest.fixture
def stored(desk: Desk) -> Stored:
    return Stored(desk)


def waiting(person: Person, query: str = "") -> list[str]:
    answer = person.get(f"/review{query}")
    assert answer.status_code == 200, answer.text
    return ITEM.findall(answer.text)


def sent(desk: Desk) -> list[Message]:
    parts = desk.parts
    return list(read_to_end(parts.settings.bootstrap, parts.pipeline.topics.outcomes))


def words(desk: Desk) -> list[Outcome]:
    return [msgspec.json.decode(message.value() or b"", type=Outcome) for message in sent(desk)]


def review(stored: Stored, amount: str = "100", score: float | None = 0.5, **more: Any) -> str:
    (event,) = stored.add(action="review", amount=Decimal(amount), score=score, **more)
    return event


def test_the_most_at_stake_comes_first_and_of_equal_stakes_the_higher_margin(
    stored: Stored, viewer: Person
) -> None:
    little = review(stored, "100", 0.1, margin=-2.0)
    much = review(stored, "1000", 0.2, margin=-1.5)
    unscored = review(stored, "60", None)
    sure = review(stored, "100", 0.2, margin=-1.0)
    less_sure = review(stored, "100", 0.2, margin=-1.5)
    review(stored, "9", 0.0)
    nothing = review(stored, "9", 0.0)
    assert waiting(viewer)[:5] == [much, unscored, sure, less_sure, little]
    assert nothing in waiting(viewer)


def test_the_queue_holds_reviews_that_nobody_spoke_about(stored: Stored, desk: Desk, viewer: Person) -> None:
    open_one, done = review(stored), review(stored)
    stored.add(action="approve", policy_action="review")  # the control group went through
    (declined,) = stored.add(action="decline", amount=Decimal(5), score=0.9)
    desk.parts.store.execute(
        "INSERT INTO outcomes VALUES (0, 0, $id, 'legitimate', 'chargeback', $at, $at)",
        {"id": done, "at": "2026-01-01"},
    )
    assert waiting(viewer) == [open_one]
    assert waiting(viewer, "?declined=1") == [open_one, declined]
    assert "Fraud</button>" not in viewer.get("/review").text


def test_a_verdict_is_an_outcome_with_its_provenance(stored: Stored, desk: Desk, analyst: Person) -> None:
    event, other = review(stored), review(stored, "10")
    assert "Fraud</button>" in analyst.get("/review").text
    done = analyst.post("/review/verdict", event_id=event, label="fraud", seen="", back="queue=&csrf=x")
    assert done.status_code == 303
    assert done.headers["location"] == f"/console/review?queue=&said={event}&label=fraud"
    (message,) = sent(desk)
    now = START + 2 * MINUTE
    assert message.key() == event.encode()
    assert msgspec.json.decode(message.value() or b"", type=Outcome) == Outcome(
        event, Label.FRAUD, "2026-01-01T00:02:00.000000Z", "analyst"
    )
    assert dict(headers_of(message) or []) == {
        "arrived_at": str(now // 1_000).encode(),
        "by": b"analyst",
        "role": b"analyst",
        "via": b"console",
    }
    assert "Kafka has the verdict fraud" in analyst.get(f"/decisions/event?id={event}").text
    assert waiting(analyst) == [other]  # though the sink has not stored it
    (noted,) = [each for each in desk.audit.newest() if each.what == "verdict"]
    assert (noted.who, noted.subject, noted.before) == ("analyst", event, None)
    assert noted.after == {"label": "fraud", "source": "analyst"}


def test_the_same_word_counts_once_and_another_one_replaces_it(
    stored: Stored, desk: Desk, analyst: Person
) -> None:
    event = review(stored)
    for label in ("fraud", "fraud", "legitimate"):
        answer = analyst.post("/review/verdict", event_id=event, label=label)
        assert answer.status_code == 303
    assert [word.label for word in words(desk)] == ["fraud", "legitimate"]
    sink = Sink(desk.parts)
    counted = "SELECT count(*) FROM outcomes"
    until(lambda: desk.parts.store.execute(counted).fetchall() == [(2,)], sink.step)
    sink.close()
    assert desk.verdicts.said() == {}  # what is stored need not be remembered
    assert analyst.post("/review/verdict", event_id=event, label="legitimate").status_code == 303
    assert len(words(desk)) == 2
    page = analyst.get(f"/decisions/event?id={event}").text
    assert "analyst: legitimate" in page


def test_whoever_looks_at_an_old_page_does_not_contradict_unawares(
    stored: Stored, desk: Desk, analyst: Person, operator: Person
) -> None:
    event = review(stored)
    operator.post("/review/verdict", event_id=event, label="fraud", seen="")
    answer = analyst.post("/review/verdict", event_id=event, label="legitimate", seen="")
    assert answer.status_code == 409
    assert "somebody said &#39;fraud&#39;" in answer.text
    assert waiting(analyst, f"?again={event}") == [event]
    answer = analyst.post("/review/verdict", event_id=event, label="legitimate", seen="fraud")
    assert answer.status_code == 303
    assert [word.label for word in words(desk)] == ["fraud", "legitimate"]


def test_nothing_is_said_of_what_is_not_stored_by_whom_it_may_not_or_in_other_words(
    stored: Stored, desk: Desk, analyst: Person, viewer: Person
) -> None:
    event = review(stored)
    assert viewer.post("/review/verdict", event_id=event, label="fraud").status_code == 403
    assert analyst.post("/review/verdict", csrf="wrong", event_id=event, label="fraud").status_code == 403
    assert analyst.post("/review/verdict", event_id=event, label="maybe").status_code == 400
    assert analyst.post("/review/verdict", event_id="none", label="fraud").status_code == 404
    assert words(desk) == []


def test_what_kafka_does_not_confirm_is_not_struck(
    stored: Stored, desk: Desk, analyst: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = review(stored)
    nowhere = plain_producer("127.0.0.1:1")
    monkeypatch.setattr("training.keeper.verdicts.plain_producer", lambda *_, **__: nowhere)
    monkeypatch.setattr("training.keeper.verdicts.ACK_S", 0.05)
    lost = Verdicts(desk.parts, desk.audit)
    with pytest.raises(BrokerError, match="has not confirmed"):
        lost.say(Verdict(event, Label.FRAUD, "ann", "analyst"))
    nowhere.purge()
    nowhere.flush()
    assert lost.said() == {}
    assert waiting(analyst) == [event]
    assert [each for each in desk.audit.newest() if each.what == "verdict"] == []


def test_what_kafka_confirms_when_nobody_waits_any_more_is_struck_and_noted_too(
    stored: Stored, desk: Desk, analyst: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = review(stored)
    monkeypatch.setattr("training.keeper.verdicts.ACK_S", 0.0)
    answer = analyst.post("/review/verdict", event_id=event, label="fraud", seen="")
    assert (answer.status_code, "may still get it" in answer.text) == (409, True)
    until(lambda: waiting(analyst) == [], lambda: words(desk))
    assert desk.verdicts.said() == {event: Label.FRAUD}
    assert analyst.post("/review/verdict", event_id=event, label="fraud", seen="").status_code == 303
    assert [word.label for word in words(desk)] == ["fraud"]
    (noted,) = [each for each in desk.audit.newest() if each.what == "verdict"]
    assert (noted.who, noted.subject) == ("analyst", event)


def test_nobody_waits_for_ever_behind_others_who_wait_for_kafka(
    stored: Stored, desk: Desk, analyst: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = review(stored)
    monkeypatch.setattr("training.keeper.verdicts.ACK_S", 0.01)
    with desk.verdicts._one_at_a_time:
        answer = analyst.post("/review/verdict", event_id=event, label="fraud", seen="")
    assert (answer.status_code, "Kafka is slow" in answer.text) == (409, True)
    assert words(desk) == []


def test_two_people_see_who_works_on_what(
    desk: Desk, stored: Stored, analyst: Person, operator: Person
) -> None:
    first, second = review(stored, "200"), review(stored, "100")
    answer = analyst.post("/review/claim", event_id=first, via="script")
    assert answer.headers["location"] == "/console/review/claims"
    assert operator.get("/review/claims").json() == {first: "analyst"}
    assert f'data-event="{first}" tabindex="-1" data-holder="analyst"' in operator.get("/review").text
    assert "data-holder" not in analyst.get("/review").text
    operator.post("/review/claim", event_id=first)
    assert desk.verdicts.claims.holders() == {first: "analyst"}
    analyst.post("/review/claim", event_id=second)  # lets go of the first
    assert desk.verdicts.claims.holders() == {second: "analyst"}
    analyst.post("/review/verdict", event_id=second, label="fraud")
    assert desk.verdicts.claims.holders() == {}


def test_a_lease_ends_by_itself() -> None:
    now = [0.0]
    claims = Claims(lambda: now[0])
    assert claims.claim("e1", "ann") == "ann"
    assert claims.claim("e1", "bob") == "ann"
    now[0] = LEASE_S + 1
    assert claims.holders() == {}
    assert claims.claim("e1", "bob") == "bob"


def test_queues_that_rules_name_are_counted_and_kept_apart(
    stored: Stored, desk: Desk, viewer: Person
) -> None:
    rule = {"name": "big", "when": "amount > 10", "action": "review", "queue": "large & new"}
    edits = [{"edit": "set_rule", "rule": rule}]
    desk.policies.asked({"made_by": "ann", "why": "a queue", "edits": edits})
    large = review(stored, "500", rules=["big"], message={"queue": "large & new"})
    plain = review(stored, "20")
    assert waiting(viewer) == [large, plain]
    assert waiting(viewer, "?queue=large+%26+new") == [large]
    assert waiting(viewer, "?queue=") == [plain]
    page = viewer.get("/review").text
    assert "large &amp; new · 1" in page
    assert "Default · 1" in page


def test_reasons_are_told_and_personal_ones_to_those_who_may(
    stored: Stored, analyst: Person, viewer: Person
) -> None:
    reason = Reason("amount_eur", 3.0, 1.25, "an amount of 3", "path")
    for_it = Reason("card_count_1h", 0.0, -1.0, "no event in the hour before", "path")
    review(stored, holder="Erika Muster", message={"reasons": [reason, for_it]})
    page = analyst.get("/review").text
    assert "an amount of 3" in page
    assert "no event in the hour before" not in page
    assert "Erika Muster" in page
    assert "Erika Muster" not in viewer.get("/review").text


def test_what_is_at_stake_tells_no_personal_amount(
    tmp_path: Path, unique: str, embedded_broker: Broker
) -> None:
    config = tmp_path / "pipeline.yaml"
    declared = PIPELINE.format(name=unique).replace("amount: {type", "amount: {personal: true, type")
    config.write_text(declared, encoding="utf-8")
    with a_desk(config, embedded_broker.bootstrap, tmp_path) as desk:
        review(Stored(desk), "9000", 0.5)
        viewer, analyst = let_in(desk, Role.VIEWER), let_in(desk, Role.ANALYST)
        assert "4,500" in analyst.get("/review").text
        assert "4,500" not in viewer.get("/review").text


def test_the_work_of_the_day_is_counted(stored: Stored, desk: Desk) -> None:
    desk.parts.pipeline.decision.__dict__["review_capacity"] = 40
    stored.add(24 * 60)
    event, other, _ = review(stored), review(stored), review(stored)
    desk.parts.store.execute(
        "INSERT INTO outcomes VALUES (0, 0, 'e0-1', 'fraud', 'analyst', $at, $at)", {"at": "2026-01-01 23:00"}
    )
    desk.parts.store.execute(
        "INSERT INTO outcomes VALUES (0, 1, $a, 'fraud', 'analyst', $at, $at), "
        "(0, 2, $b, 'legitimate', 'analyst', $at, $at), (0, 3, $b, 'fraud', 'chargeback', $at, $at)",
        {"a": event, "b": other, "at": "2026-01-02 00:01"},
    )
    page = let_in(desk).get("/review").text
    assert '<meter min="0" max="40" value="2"' in page
    assert "1 of them fraud" in page
