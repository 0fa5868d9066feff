"""How a process of this machine reaches what listens on an address."""

from __future__ import annotations

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - it is said here, not chosen
"""What stands for every address of the machine, and one of them."""


def url_of(host: str, port: int) -> str:
    """The URL of what listens on ``host``, as seen from this machine."""
    reached = _EVERYWHERE.get(host, host)
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"
