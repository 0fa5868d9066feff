"""Ask a broker over a plain socket whether it answers, without a Kafka client.

Two requests of Kafka's protocol are enough: ApiVersions (every broker has it) and Metadata, which
lists the brokers that accept work.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

from streams.broker.errors import BrokerUnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.broker.spec import Address

_METADATA, _API_VERSIONS = 3, 18
_CORRELATION = 7
_CLIENT = b"sluicegate"
_HEADER_BYTES = 4
_LONGEST_ANSWER = 1 << 20


def api_count(address: Address, timeout: float) -> int:
    """Return how many kinds of request the broker knows (ApiVersions 0).

    Raises OSError where nothing answers in `timeout` seconds, ValueError where it is not Kafka.
    """
    body = _ask(address, _API_VERSIONS, 0, b"", timeout)
    error, count = _unpack(">hi", body)
    if error:
        raise ValueError(f"ApiVersions was answered with error code {error}")
    return count


def live_brokers(address: Address, timeout: float) -> int:
    """Return how many brokers of its cluster accept work (Metadata 1); raises as `api_count`."""
    no_topics = struct.pack(">i", 0)
    return _unpack(">i", _ask(address, _METADATA, 1, no_topics, timeout))[0]


def check_given(addresses: Iterable[Address], timeout: float = 5.0) -> None:
    """Raise BrokerUnreachableError unless one of the addresses answers as a Kafka broker.

    `timeout` is in seconds, per address.
    """
    failures: list[str] = []
    for address in addresses:
        try:
            api_count(address, timeout)
        except TimeoutError:
            failures.append(f"{address}: no answer within {timeout:g} s")
        except OSError as error:
            failures.append(f"{address}: {error.strerror or error}")
        except ValueError as error:
            failures.append(f"{address}: does not speak Kafka's protocol in the clear ({error})")
        else:
            return
    raise BrokerUnreachableError(
        f"no Kafka broker answers at {'; '.join(failures)}. Check the addresses and that the"
        " broker runs, or set the broker to auto to run one on this machine"
    )


def _ask(address: Address, key: int, version: int, request: bytes, timeout: float) -> bytes:
    header = struct.pack(">hhih", key, version, _CORRELATION, len(_CLIENT)) + _CLIENT
    message = header + request
    with socket.create_connection((address.host, address.port), timeout) as connection:
        connection.sendall(struct.pack(">i", len(message)) + message)
        (length,) = _unpack(">i", _read(connection, 4))
        if not _HEADER_BYTES <= length <= _LONGEST_ANSWER:
            raise ValueError(f"an answer of {length} bytes")
        answer = _read(connection, length)
    (correlation,) = _unpack(">i", answer)
    if correlation != _CORRELATION:
        raise ValueError("the answer is to another request")
    return answer[_HEADER_BYTES:]


def _read(connection: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        part = connection.recv(length - len(data))
        if not part:
            raise ValueError("the connection was closed")
        data += part
    return bytes(data)


def _unpack(layout: str, data: bytes) -> tuple[int, ...]:
    if len(data) < struct.calcsize(layout):
        raise ValueError(f"an answer that ends after {len(data)} bytes")
    return struct.unpack_from(layout, data)
