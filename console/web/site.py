"""What every page has at hand: the keeper's desk, and the templates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from console.web.live import Live
from console.web.words import FILTERS

if TYPE_CHECKING:
    from starlette.requests import Request

    from console.web.visitor import Visitor
    from training.keeper.desk import Desk

ROOT = "/console"
"""Below it is everything that a browser asks for."""


@dataclass(frozen=True)
class Site:
    """The parts that pages are made of."""

    desk: Desk
    templates: Environment
    monitor_url: str | None = None
    """Where the monitor answers; None where nobody said."""

    @cached_property
    def live(self) -> Live:
        """What changes by itself, kept a moment."""
        return Live(self.desk, self.monitor_url)

    def html(self, template: str, request: Request, visitor: Visitor | None, **content: Any) -> str:
        """A page: ``content`` by name, beside ``visitor``, ``path``, ``pipeline`` and ``root``."""
        return self.templates.get_template(template).render(
            visitor=visitor,
            path=request.url.path,
            query=dict(request.query_params),
            pipeline=self.desk.parts.pipeline.name,
            root=ROOT,
            **content,
        )


def templates() -> Environment:
    """The templates; everything is escaped, and a name that is not there is an error."""
    environment = Environment(
        loader=PackageLoader("console.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    return environment
