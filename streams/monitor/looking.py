"""What looks need of Kafka: what acts, what was said before, how far scorers are; and the timer."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import structlog

from feature_store.errors import BrokerError
from streams.alerts import AlertSender
from streams.kafka import GroupLag, KafkaException
from streams.monitor.agreement import Agreement
from streams.monitor.looks import Looks
from streams.monitor.releases import Releases
from streams.monitor.shadowed import Shadowed
from streams.monitor.told import Told
from streams.monitor.webhook import Webhook

if TYPE_CHECKING:
    from pathlib import Path

    import faust

    from feature_store.declaration.pipeline import Pipeline
    from streams.following import TopicFollower
    from streams.monitor.state import MonitorState

_TICK_S = 0.25
_log = structlog.get_logger()


class Looking:
    """The looks of one monitor; ``attach`` it to the app before that is started."""

    def __init__(self, pipeline: Pipeline, bootstrap: str, state: MonitorState, data: Path) -> None:
        """``data``: the monitor's folder, where it notes what it has sent on."""
        self._state = state
        self._sender = AlertSender(bootstrap, pipeline, state.clock, "monitor")
        self._looks = Looks(pipeline, self._sender.send)
        self._releases = Releases(bootstrap, pipeline)
        self._told = Told(bootstrap, pipeline, self._looks.episodes, self._looks.name)
        self._lag = GroupLag(bootstrap, pipeline.scorer_group, pipeline.topics.events)
        self._followers: list[TopicFollower] = [self._releases, self._told]
        if pipeline.monitoring.webhook:
            self._followers.append(Webhook(bootstrap, pipeline, data / "webhook.json"))
        self._shadowed = Shadowed(bootstrap, pipeline, Agreement(pipeline.monitoring.agreement))
        self._epoch = -1

    def start(self) -> None:
        """Read what acts and what was said. Raises BrokerError when Kafka is silent."""
        for follower in self._followers:
            follower.start()
        self._shadowed.start()

    def stop(self) -> None:
        """Leave Kafka, once every alert is there."""
        for follower in self._followers:
            follower.stop()
        self._shadowed.stop()
        self._sender.close()
        self._lag.close()

    def attach(self, app: faust.App) -> None:
        """Look at the clock, from when everything has been read that there was."""

        async def look() -> None:
            for follower in self._followers:
                if follower.failure is not None:
                    await app.crash(follower.failure)
                    return
            if self._state.is_caught_up:
                await self._by_the_wall()

        app.timer(_TICK_S)(look)

    def at_events(self) -> None:
        """Look at the events, where it is time to; all partitions must have been read equally far.

        A look that fails is logged, and nothing else: the figures that do not hang on it go on.
        """
        try:
            self._at_events()
        except Exception:  # noqa: BLE001  (a manifest may say anything)
            _log.exception("monitor_look_failed")

    def _at_events(self) -> None:
        self._told.apply()
        now, acting = self._state.now(), self._releases.acting
        due = self._looks.due(now)
        if not due and acting.epoch == self._epoch:
            return
        if acting.epoch != self._epoch:
            self._shadowed.under(acting)
            self._epoch = acting.epoch
        figures = self._state.look(acting, self._shadowed.status())
        if due:
            self._looks.at_events(now, figures)

    async def _by_the_wall(self) -> None:
        if not self._looks.due_by_the_wall():
            return
        self._told.apply()
        try:
            lag = await asyncio.to_thread(self._lag)
        except (BrokerError, KafkaException) as error:
            _log.warning("monitor_lag_unknown", why=str(error))
        else:
            self._state.freshness.behind.add(lag, time.monotonic())
        self._looks.by_the_wall(self._state.look_at_the_clock())
