"""Who looks at a page, and what they may do there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a person may do; each may do what those before may.

    A viewer sees all but personal data; an analyst sees that too and gives verdicts; an operator changes
    what acts: models, policy, runs, dead letters.
    """

    VIEWER = "viewer"
    ANALYST = "analyst"
    OPERATOR = "operator"

    def may(self, needed: Role) -> bool:
        """Whether this role includes ``needed``."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True)
class Visitor:
    """A person who was let in; ``csrf`` is what each of their forms must carry."""

    name: str
    role: Role
    csrf: str

    def may(self, needed: Role) -> bool:
        """Whether the person's role includes ``needed``."""
        return self.role.may(needed)
