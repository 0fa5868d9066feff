"""`python -m benchmarks.pinned CORE COMMAND…`: become COMMAND, with every thread of it on one core."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    os.sched_setaffinity(0, {int(sys.argv[1])})
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606  (the same process, so that its id is the contender's)
