"""The web console: pages that the keeper serves, for people who look at what the gate does and steer it."""

from __future__ import annotations

from console.web.app import console_pages

__all__ = ["console_pages"]
