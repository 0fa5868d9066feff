"""What the checker counts, in all or of one round."""

from __future__ import annotations

from dataclasses import dataclass, field

COUNTED = ("events", "decided", "dead", "duplicates", "lost", "doubled", "wrong")
_MOST_WORDS = 50


@dataclass
class Counts:
    """Of the last three, each is one finding; ``findings`` says what they were."""

    events: int = 0
    decided: int = 0
    dead: int = 0
    duplicates: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    findings: list[str] = field(default_factory=list)

    def tell(self, kind: str, text: str) -> None:
        """A finding: ``lost``, ``doubled`` or ``wrong``."""
        setattr(self, kind, getattr(self, kind) + 1)
        if len(self.findings) < _MOST_WORDS:
            self.findings.append(f"{kind}: {text}")

    def taken(self, before: Counts) -> Counts:
        """What came since ``before``, with all findings that have words; they are told once."""
        now = {name: getattr(self, name) - getattr(before, name) for name in COUNTED}
        words, self.findings = self.findings, []
        return Counts(**now, findings=words)

    @property
    def sound(self) -> bool:
        """Whether nothing was found."""
        return not (self.lost or self.doubled or self.wrong or self.findings)
