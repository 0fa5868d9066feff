"""Who holds what in a group, asked by a process of its own: a script that is run by its path.

librdkafka ends the whole process, by an assertion, where a broker dies while it is asked to describe a group
(2.16, ``rd_kafka_enq_once_del_source_return``); here that costs an answer, and not a scorer.
"""

from __future__ import annotations

import ctypes
import json
import signal
import sys
from contextlib import suppress

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


def main() -> None:
    """Read ``settings, group, topic, timeout_s`` on stdin as JSON; print what was found, or the error."""
    with suppress(AttributeError, OSError):  # Linux only
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    settings, group, topic, timeout_s = json.load(sys.stdin)
    admin = AdminClient(settings)
    try:
        asked = admin.describe_consumer_groups([group], request_timeout=timeout_s)[group].result()
        found = admin.list_topics(topic, timeout=timeout_s).topics.get(topic)
    except KafkaException as error:
        problem = error.args[0]
        told = {"code": problem.code(), "why": problem.str(), "passes": problem.retriable()}
        print(json.dumps(told))  # noqa: T201
        return
    held = [
        each.partition
        for member in asked.members
        for each in (member.assignment.topic_partitions if member.assignment else [])
        if each.topic == topic
    ]
    there = [] if found is None or found.error is not None else list(found.partitions)
    print(json.dumps({"state": asked.state.name, "held": held, "there": there}))  # noqa: T201


if __name__ == "__main__":
    main()
