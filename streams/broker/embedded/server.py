"""The broker as a TCP server: each connection is answered in the order of its requests."""

import asyncio
import logging
import struct
from collections.abc import Awaitable, Callable

from streams.broker.embedded.answering import ErrorCode, RefusedError
from streams.broker.embedded.groups import Groups
from streams.broker.embedded.messages import APIS, Api
from streams.broker.embedded.topics import Topics
from streams.broker.embedded.transactions import Transactions
from streams.broker.embedded.wire import MalformedError, Message, Reader, Writer

Handler = Callable[[Message], Message | Awaitable[Message]]
MAX_FRAME = 104_857_600  # bytes; Kafka's own default
_TICK_S = 0.25
_API_VERSIONS = APIS["ApiVersions"].key
_LOG = logging.getLogger(__name__)


class Broker:
    """One node that keeps everything in memory."""

    def __init__(self) -> None:
        self._topics, self._groups = Topics(), Groups()
        self._transactions = Transactions(self._topics, self._groups)
        self._apis = {api.key: (api, self._handler(name)) for name, api in APIS.items()}

    def _handler(self, api_name: str) -> Handler:
        """Return the method named like the request: `ListOffsets` is `list_offsets`."""
        name = "".join(f"_{c.lower()}" if c.isupper() else c for c in api_name).lstrip("_")
        owners = (self, self._topics, self._groups, self._transactions)
        handler: Handler = next(getattr(owner, name) for owner in owners if hasattr(owner, name))
        return handler

    async def start(self, host: str, port: int) -> tuple[asyncio.Server, int]:
        """Listen, and return the server and its port (`port` 0 takes a free one)."""
        server = await asyncio.start_server(self._serve, host, port, limit=1 << 20)
        return server, server.sockets[0].getsockname()[1]

    async def keep_time(self) -> None:
        """Expire sessions, transactions and old records, for ever."""
        while True:
            await asyncio.sleep(_TICK_S)
            for group in self._groups.by_id.values():
                group.expire()
            self._transactions.expire()
            self._topics.retain()

    def api_versions(self, request: Message) -> Message:
        """Say what is supported; a client too new is told so in the oldest form."""
        ranges = [{"key": a.key, "oldest": a.oldest, "newest": a.newest} for a in APIS.values()]
        return {"error": ErrorCode.UNSUPPORTED_VERSION if request["too_new"] else 0, "apis": ranges}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer, address = writer.get_extra_info("peername"), writer.get_extra_info("sockname")[:2]
        try:
            while True:
                size = struct.unpack(">i", await reader.readexactly(4))[0]
                if not 0 < size <= MAX_FRAME:
                    raise MalformedError(f"a request of {size} bytes")
                writer.write(await self._answer(await reader.readexactly(size), address))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client has gone, or the broker stops
        except ValueError as error:
            _LOG.warning("closed the connection from %s: %s", peer, error)
        finally:
            writer.close()

    async def _answer(self, frame: bytes, address: tuple[str, int]) -> bytes:
        reader = Reader(frame)
        key, version, correlation = reader.value("i16"), reader.value("i16"), reader.take(4)
        request = {"client_id": reader.value("str"), "address": address, "too_new": False}
        if key not in self._apis:
            raise MalformedError(f"request {key} is not supported")
        api, handle = self._apis[key]
        if api.oldest <= version <= api.newest:
            request |= _read(api, version, reader)
        elif key == _API_VERSIONS:
            version, request["too_new"] = 0, True
        else:
            raise MalformedError(f"version {version} of request {key} is not supported")
        try:
            reply = handle(request)
            reply = reply if isinstance(reply, dict) else await reply
        except RefusedError as refused:
            reply = {"error": refused.code}
        return b"" if request.get("acks") == 0 else _written(api, version, correlation, reply)


def _read(api: Api, version: int, reader: Reader) -> Message:
    if version >= api.flexible:
        reader.flexible = True
        reader.skip_tags()
    return reader.message(api.request, version)


def _written(api: Api, version: int, correlation: memoryview, reply: Message) -> bytes:
    flexible = version >= api.flexible
    header = b"\0" if flexible and api.key != _API_VERSIONS else b""
    writer = Writer(bytearray(4) + correlation + header, flexible=flexible)
    writer.message(api.response, version, reply)
    struct.pack_into(">i", writer.out, 0, len(writer.out) - 4)
    return bytes(writer.out)
