from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from threading import Thread

import pytest

from streams.broker import BrokerUnreachableError, running_broker
from streams.broker.health import api_count, check_given, live_brokers
from streams.broker.spec import Address

Serve = Callable[[bytes | None], Address]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers that send one answer to one request; None sends nothing."""
    with ExitStack() as stack:

        def start(answer: bytes | None) -> Address:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            thread = Thread(target=_answer_one, args=(listener, answer))
            thread.start()
            stack.callback(thread.join)
            return Address("127.0.0.1", listener.getsockname()[1])

        yield start


def _answer_one(listener: socket.socket, answer: bytes | None) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(4096)
        if answer is None:
            connection.recv(4096)  # returns when the client gives up
        else:
            connection.sendall(answer)


def _framed(body: bytes, correlation: int = 7) -> bytes:
    return struct.pack(">ii", 4 + len(body), correlation) + body


def test_a_broker_that_answers(serve: Serve) -> None:
    assert api_count(serve(_framed(struct.pack(">hi", 0, 61))), timeout=5) == 61
    assert live_brokers(serve(_framed(struct.pack(">i", 0))), timeout=5) == 0


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "an answer of"),
        (b"", "the connection was closed"),
        (_framed(struct.pack(">hi", 35, 0)), "error code 35"),
        (_framed(struct.pack(">hi", 0, 3), correlation=8), "another request"),
        (_framed(b"\0"), "ends after 1 bytes"),
    ],
)
def test_what_does_not_speak_kafka(serve: Serve, answer: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        api_count(serve(answer), timeout=5)


def test_silence_ends_in_time(serve: Serve) -> None:
    with pytest.raises(BrokerUnreachableError, match=r"no answer within 0\.1 s"):
        check_given([serve(None)], timeout=0.1)


def test_one_answering_address_is_enough(serve: Serve) -> None:
    check_given([_closed(), serve(_framed(struct.pack(">hi", 0, 61)))])


def test_given_addresses_that_do_not_answer_are_named(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    address = _closed()
    with (
        pytest.raises(BrokerUnreachableError, match=rf"{address}: Connection refused.*auto"),
        running_broker(str(address), state_dir=tmp_path_factory.mktemp("state")),
    ):
        pytest.fail("no broker is there")


def _closed() -> Address:
    """Return an address on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return Address("127.0.0.1", listener.getsockname()[1])
