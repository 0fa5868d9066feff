"""The server, sent what no client would send."""

from __future__ import annotations

import asyncio
import random
import struct

import pytest

from streams.broker.embedded.messages import APIS, Api
from streams.broker.embedded.server import MAX_FRAME, Broker
from streams.broker.embedded.wire import Writer

_ASK_VERSIONS = struct.pack(">ihhih", 10, APIS["ApiVersions"].key, 0, 7, -1)
_SECONDS = 10


def frame(api: Api, version: int, body: bytes) -> bytes:
    header = struct.pack(">hhih", api.key, version, 7, -1) + (b"\0" if version >= api.flexible else b"")
    return struct.pack(">i", len(header) + len(body)) + header + body


def empty_request(api: Api, version: int) -> bytes:
    """Return a request whose every field has its default: null strings, empty lists, zeros."""
    out = bytearray()
    Writer(out, flexible=version >= api.flexible).message(api.request, version, {})
    return frame(api, version, bytes(out))


async def exchange(port: int, sent: bytes) -> bytes:
    """Return all that comes back on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    writer.write_eof()
    try:
        return await asyncio.wait_for(reader.read(), _SECONDS)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def survives(frames: list[bytes]) -> list[bytes]:
    """Return the answers to frames, sent one by one; after each the broker still has to answer."""

    async def send() -> list[bytes]:
        broker = Broker()
        server, port = await broker.start("127.0.0.1", 0)
        answers = []
        async with server:
            for one in frames:
                answers.append(await exchange(port, one))
                assert await exchange(port, _ASK_VERSIONS)
        return answers

    return asyncio.run(send())


@pytest.mark.parametrize("name", APIS)
def test_empty_requests_of_every_version(name: str) -> None:
    api = APIS[name]
    survives([empty_request(api, version) for version in range(api.oldest, api.newest + 1)])


@pytest.mark.parametrize("name", APIS)
def test_random_bytes_after_a_right_header(name: str) -> None:
    api, source = APIS[name], random.Random(name)
    survives([frame(api, api.newest, source.randbytes(source.randrange(80))) for _ in range(10)])


def test_a_client_too_new_learns_what_is_supported() -> None:
    (answer,) = survives([frame(APIS["ApiVersions"], 9, b"\x02a\x02b\0")])
    assert struct.unpack_from(">iih", answer)[1:] == (7, 35)


def test_requests_sent_at_once_are_answered_in_order() -> None:
    asked = b"".join(
        struct.pack(">ihhih", 10, APIS["ApiVersions"].key, 0, correlation, -1) for correlation in range(5)
    )
    (answer,) = survives([asked])
    seen = []
    while answer:
        size, correlation = struct.unpack_from(">ii", answer)
        seen.append(correlation)
        answer = answer[4 + size :]
    assert seen == list(range(5))


@pytest.mark.parametrize("size", [-1, 0, MAX_FRAME + 1])
def test_a_frame_of_a_wrong_size_closes_the_connection(size: int) -> None:
    assert survives([struct.pack(">i", size) + b"x" * 100]) == [b""]
