"""Pin the jars of Apache Kafka anew: `python -m streams.broker.pin`, then review `jars.sha256`.

Needed after a change of version in `kafka-pom.xml` and of KAFKA_VERSION in `jars.py`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from streams.broker.jars import PINS, resolve, sha256


def main() -> None:
    """Resolve the jars afresh and write down what was found."""
    with tempfile.TemporaryDirectory() as scratch:
        libs = Path(scratch) / "libs"
        resolve(libs)
        lines = [f"{sha256(jar)}  {jar.name}\n" for jar in sorted(libs.glob("*.jar"))]
    PINS.write_text("".join(lines), encoding="ascii")


if __name__ == "__main__":
    main()
