"""The topics of a pipeline as an AsyncAPI 3 document, from the structs that are sent."""

from __future__ import annotations

from streams.asyncapi.document import asyncapi

__all__ = ["asyncapi"]
