from __future__ import annotations

import pytest

from streams.broker import BrokerSpecError, parse_spec
from streams.broker.spec import Address, BrokerSpec, Choice


@pytest.mark.parametrize("word", ["auto", "kafka", "embedded"])
def test_words(word: str) -> None:
    assert parse_spec(f" {word} ") == BrokerSpec(Choice(word))


def test_addresses() -> None:
    spec = parse_spec("broker-1:9092, [::1]:9093")
    assert spec.choice is Choice.GIVEN
    assert spec.addresses == (Address("broker-1", 9092), Address("::1", 9093))
    assert [str(address) for address in spec.addresses] == ["broker-1:9092", "[::1]:9093"]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "''"),
        ("given", "'given'"),
        ("localhost", "'localhost'"),
        ("a:9092,b", "'b'"),
        ("a:9092,", "''"),
        (":9092", "':9092'"),
        ("a b:9092", "'a b:9092'"),
        ("a:0", "port '0'"),
        ("a:65536", "port '65536'"),
        ("a:9092x", "port '9092x'"),
        ("http://a:9092/", "port '9092/'"),
    ],
)
def test_what_cannot_be_understood_is_named_with_the_cure(text: str, wrong: str) -> None:
    with pytest.raises(BrokerSpecError) as raised:
        parse_spec(text)
    assert wrong in str(raised.value)
    assert "expected auto, kafka, embedded, or addresses" in str(raised.value)
