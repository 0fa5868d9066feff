"""What passes by Kafka's own word is asked again here; what lasts is not."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import KafkaError, KafkaException

from streams.broker.kafka_home import find_kafka
from streams.kafka.retriable import asked_too_soon, passes, plain_absence

if TYPE_CHECKING:
    from pathlib import Path

LISTING = """
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.protocol.Errors;

class Listing {
    public static void main(String[] none) {
        for (Errors each : Errors.values())
            System.out.printf(
                "%s %d %s%n", each.name(), each.code(), each.exception() instanceof RetriableException);
    }
}
"""
NOT_WAITED_FOR = {
    "CORRUPT_MESSAGE",  # what is damaged stays so
    "ELECTION_NOT_NEEDED",
    "FETCH_SESSION_ID_NOT_FOUND",  # between client and broker alone
    "INVALID_FETCH_SESSION_EPOCH",
    "FETCH_SESSION_TOPIC_ID_ERROR",
    "SHARE_SESSION_NOT_FOUND",  # no group here is a share group
    "INVALID_SHARE_SESSION_EPOCH",
    "SHARE_SESSION_LIMIT_REACHED",
}
WAITED_FOR_THOUGH = {"BROKER_NOT_AVAILABLE"}


@pytest.mark.kafka
@pytest.mark.usefixtures("apache_kafka")  # skips where there is none
def test_what_is_retriable_for_kafka_passes(tmp_path: Path, jar_cache: Path) -> None:
    kafka = find_kafka(jar_cache, lambda _step: None)
    source = tmp_path / "Listing.java"
    source.write_text(LISTING)
    classes = ":".join(map(str, kafka.jars))
    listed = subprocess.run(
        [str(kafka.java.program), "-cp", classes, str(source)], capture_output=True, text=True, check=False
    )
    if "jdk.compiler" in listed.stderr and not os.environ.get("CI"):
        pytest.skip("this Java compiles nothing: it is no JDK")
    assert listed.returncode == 0, listed.stderr
    told = [line.split() for line in listed.stdout.splitlines()]
    waited = {name for name, code, _ in told if asked_too_soon(KafkaError(int(code)))}
    retriable = {name for name, _, says in told if says == "true"}
    assert waited == (retriable - NOT_WAITED_FOR) | WAITED_FOR_THOUGH
    assert retriable >= NOT_WAITED_FOR


def test_a_topic_that_is_not_known_yet_is_a_matter_of_questions_alone() -> None:
    for code in (KafkaError._UNKNOWN_TOPIC, KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.UNKNOWN_TOPIC_ID):
        assert asked_too_soon(KafkaError(code))
        assert not passes(KafkaError(code))


def test_what_passes_ends_a_process_in_words_and_what_does_not_as_it_is() -> None:
    told = plain_absence(KafkaException(KafkaError(KafkaError.OFFSET_NOT_AVAILABLE)))
    assert told is not None
    assert told.exit_code == 3
    assert plain_absence(KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))) is None
    assert plain_absence(ValueError("something else")) is None
