"""A change of the policy as it is asked for: what, by whom, why, and on the strength of which version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from feature_store.errors import ContractError, PolicyError
from streams.policies import default_document
from training.policy.content import Content, content_in, with_content
from training.policy.edits import Edit, Setting, edited

if TYPE_CHECKING:
    from streams.messages import PolicyDocument

_LONGEST = 500


class PolicyChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of ``POST /policy``: a ``content``, or ``edits``, or ``from_file``: the pipeline file's own.

    ``base_version`` is the version that was looked at: where another is in force by now, nothing changes.
    """

    made_by: str
    why: str
    content: Content | None = None
    edits: list[Edit] = []
    from_file: bool = False
    base_version: int | None = None

    def check(self) -> None:
        """Raise PolicyError where it says nothing, two things, or not who and why."""
        if bool(self.edits) + (self.content is not None) + self.from_file != 1:
            raise PolicyError("expected one of content, edits and from_file")
        for name, text in (("made_by", self.made_by), ("why", self.why)):
            if not text.strip() or len(text) > _LONGEST:
                raise PolicyError(f"{name}: say it in 1 to {_LONGEST} characters")

    def made_in(self, document: PolicyDocument, at: Setting) -> PolicyDocument:
        """``document`` after it. Raises PolicyError for what cannot be done."""
        before = content_in(document)
        if self.from_file:
            wanted = content_in(default_document(at.pipeline))
        elif self.content is not None:
            wanted = self.content
        else:
            wanted = edited(before, self.edits, at)
        return replace(
            with_content(document, _with_margin(wanted, before, at)), made_by=self.made_by, why=self.why
        )


def check_base(base: PolicyDocument, now: PolicyDocument) -> None:
    """Raise ContractError where anybody but review capacity changed the policy since ``base``."""
    if replace(content_in(base), review_margin=None) != replace(content_in(now), review_margin=None):
        raise ContractError(
            f"this was made from version {base.version}, but {now.version} is in force by now, by "
            f"{now.made_by}: {now.why}; look at it (sluicegate policy show --yaml) and edit that"
        )


def _with_margin(wanted: Content, before: Content, at: Setting) -> Content:
    """Where there is a review capacity the keeper moves the margin, and nobody else."""
    if at.pipeline.decision.review_capacity is None:
        return wanted
    if wanted.review_margin not in {None, before.review_margin}:
        raise PolicyError(
            "review_margin: the keeper moves it, since decision.review_capacity is declared; leave it out"
        )
    return replace(wanted, review_margin=before.review_margin)
