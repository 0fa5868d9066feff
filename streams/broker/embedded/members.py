"""One consumer in a group."""

import asyncio
import time
from dataclasses import dataclass, field

from streams.broker.embedded.messages import ErrorCode
from streams.broker.embedded.wire import Message


@dataclass(eq=False)
class Member:
    """One consumer; `waiting` is its unanswered request to join or to sync."""

    id: str
    instance_id: str | None
    client_id: str
    protocols: dict[str, bytes] = field(default_factory=dict)
    assignment: bytes = b""
    session_s: float = 0
    rebalance_s: float = 0
    deadline: float = 0
    joined: bool = False
    waiting: asyncio.Future[Message] | None = None

    def seen(self) -> None:
        """Note that the member is alive."""
        self.deadline = time.monotonic() + self.session_s

    def wait(self) -> asyncio.Future[Message]:
        """Return where the answer will be; an older unanswered request is answered to go on."""
        self.answer({"error": ErrorCode.REBALANCE_IN_PROGRESS})
        self.waiting = asyncio.get_running_loop().create_future()
        return self.waiting

    def answer(self, reply: Message) -> None:
        """Answer the request that waits, if any."""
        if self.waiting and not self.waiting.done():
            self.waiting.set_result(reply)
            self.seen()
        self.waiting = None
