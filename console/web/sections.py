"""The sections of the console, in the order of its menu; each module says which routes it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.web import (
    alerts,
    audit_page,
    dead_letters,
    decisions,
    features,
    models,
    overview,
    policy,
    review,
    schedule,
)
from console.web.visitor import Role

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.routing import Route

    from console.web.routing import Routes


@dataclass(frozen=True)
class Section:
    """One entry of the menu: its title, its address below the console's root, who sees it, and its routes."""

    title: str
    path: str
    routes: Callable[[Routes], list[Route]]
    role: Role = Role.VIEWER


SECTIONS: tuple[Section, ...] = (
    Section("Overview", "/", overview.routes),
    Section("Review", "/review", review.routes),
    Section("Decisions", "/decisions", decisions.routes),
    Section("Models", "/models", models.routes),
    Section("Features", "/features", features.routes),
    Section("Schedule", "/schedule", schedule.routes),
    Section("Policy", "/policy", policy.routes),
    Section("Dead letters", "/dead-letters", dead_letters.routes),
    Section("Alerts", "/alerts", alerts.routes),
    Section("Audit", "/audit", audit_page.routes, Role.OPERATOR),
)
