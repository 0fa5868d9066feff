"""The broker as a TCP server: each connection is answered in the order of its requests."""

import asyncio
import logging
import struct
from collections.abc import Awaitable, Callable

from streams.broker.embedded.coordinator import Groups
from streams.broker.embedded.messages import APIS, Api, ErrorCode, RefusedError
from streams.broker.embedded.records import Records
from streams.broker.embedded.topics import Topics
from streams.broker.embedded.transactions import Transactions
from streams.broker.embedded.wire import MalformedError, Message, Reader

Handler = Callable[[Message], Awaitable[Message]]
MAX_FRAME = 104_857_600  # bytes; Kafka's own default
_TICK_S = 0.25
_LOG = logging.getLogger(__name__)


class Broker:
    """One node that keeps everything in memory."""

    def __init__(self, *, auto_create: bool = False) -> None:
        self._topics = Topics(auto_create=auto_create)
        self._groups = Groups()
        self._transactions = Transactions(self._topics, self._groups)
        records = Records(self._topics, self._transactions)
        owners = (self, records, self._topics, self._groups, self._transactions)
        self._apis: dict[int, tuple[Api, Handler]] = {
            api.key: (api, _handler(owners, name)) for name, api in APIS.items()
        }

    async def start(self, host: str, port: int) -> tuple[asyncio.Server, int]:
        """Listen, and return the server and its port (`port` 0 takes a free one)."""
        server = await asyncio.start_server(self._serve, host, port, limit=1 << 20)
        return server, server.sockets[0].getsockname()[1]

    async def keep_time(self) -> None:
        """Expire sessions, transactions and old records, for ever."""
        while True:
            await asyncio.sleep(_TICK_S)
            self._groups.expire()
            self._transactions.expire()
            self._topics.retain()

    async def api_versions(self, request: Message) -> Message:
        """Say what is supported; a client too new is told so in the oldest form."""
        ranges = [{"key": a.key, "oldest": a.oldest, "newest": a.newest} for a in APIS.values()]
        code = ErrorCode.UNSUPPORTED_VERSION if request["too_new"] else ErrorCode.NONE
        return {"error": code, "apis": ranges}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        try:
            while True:
                size = struct.unpack(">i", await reader.readexactly(4))[0]
                if not 0 < size <= MAX_FRAME:
                    raise MalformedError(f"a request of {size} bytes")  # noqa: TRY301 - one place closes
                reply = await self._answer(await reader.readexactly(size), writer)
                if reply:
                    writer.write(reply)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client has gone, or the broker stops
        except ValueError as error:
            _LOG.warning("closed the connection from %s: %s", peer, error)
        except Exception:  # noqa: BLE001 - a fault may cost its own connection only
            _LOG.exception("closed the connection from %s", peer)
        finally:
            writer.close()

    async def _answer(self, frame: bytes, writer: asyncio.StreamWriter) -> bytearray | None:
        reader = Reader(frame)
        key, version = reader.number("i16"), reader.number("i16")
        correlation = reader.take(4)
        client_id = str(reader.take(max(reader.number("i16"), 0)), "utf-8")
        if key not in self._apis:
            raise MalformedError(f"request {key} is not supported")
        api, handle = self._apis[key]
        too_new = key == APIS["ApiVersions"].key and version > api.newest
        decoder, encoder = api.codecs(0 if too_new else version)
        if version >= api.flexible:
            reader.skip_tags()
        request = {} if too_new else decoder.read(reader)
        address = writer.get_extra_info("sockname")[:2]
        request |= {"client_id": client_id, "address": address, "too_new": too_new}
        try:
            reply = await handle(request)
        except RefusedError as refused:
            reply = {"error": refused.code}
        if request.get("acks") == 0:
            return None
        out = bytearray(b"\0\0\0\0") + correlation
        if version >= api.flexible and key != APIS["ApiVersions"].key:
            out.append(0)
        encoder.write(out, reply)
        struct.pack_into(">i", out, 0, len(out) - 4)
        return out


def _handler(owners: tuple[object, ...], api_name: str) -> Handler:
    """Return the method named like the request: `ListOffsets` is `list_offsets`."""
    name = "".join(f"_{c.lower()}" if c.isupper() else c for c in api_name).lstrip("_")
    handler: Handler = next(getattr(owner, name) for owner in owners if hasattr(owner, name))
    return handler
