"""The keeper's part of the policy: asked, changed, kept version by version."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from feature_store.errors import ContractError, PolicyError
from streams.messages import PolicyDocument
from streams.policies import compile_policy, default_document
from streams.policies.document import FROM_FILE
from training.keeper.queries import sql
from training.keeper.store import rows
from training.policy.change import PolicyChange, check_base
from training.policy.content import content_in, understood
from training.policy.edits import Setting
from training.publish_policy import InForce

if TYPE_CHECKING:
    from training.keeper.parts import Parts
    from training.publish_policy import PolicyPublisher

KEEPER = "keeper: review capacity"
"""Who makes the versions that move the margin."""

log = structlog.get_logger()


class Policies:
    """The policy in force and those before it; usable from any thread."""

    def __init__(self, parts: Parts, publisher: PolicyPublisher) -> None:
        """Note what is on the topic: an earlier keeper may have been killed before it could."""
        self._pipeline = parts.pipeline
        self._clock = parts.clock
        self._alert = parts.alert
        self._publisher = publisher
        self._store = parts.store.cursor()
        self._one_at_a_time = threading.Lock()
        self._store.execute(sql("create_policies"))
        self._begin(self.in_force())

    def in_force(self) -> InForce:
        """What scorers decide by. Raises BrokerError or ContractError."""
        return self._publisher.in_force()

    def told(self) -> dict[str, Any]:
        """What ``GET /policy`` gives."""
        found = self.in_force()
        return {
            "offset": found.offset,
            "document": found.document,
            "differs_from_file": self._differs(found.document),
            "review_capacity": self._pipeline.decision.review_capacity,
            "control_group": self._pipeline.outcomes.control_group.rate,
            "now": self._clock.now(),
        }

    def history(self) -> list[InForce]:
        """Every version that was in force, oldest first; without the pipeline file's own."""
        with self._one_at_a_time:
            found = rows(self._store, "policies")
        return [_kept(row) for row in found]

    def asked(self, given: Any) -> InForce:
        """Do what the body of ``POST /policy`` asks for.

        Raises PolicyError with the reason, ContractError where another version is in force, BrokerError.
        """
        change = understood(given, PolicyChange)
        change.check()
        at = Setting(self._pipeline, self._clock.now())

        def made(now: PolicyDocument) -> PolicyDocument:
            if change.base_version is not None:
                check_base(self._version(change.base_version, now), now)
            return change.made_in(now, at)

        return self._take(self._publisher.publish(made))

    def move_margin(self, margin: float | None, why: str) -> InForce:
        """Change nothing but the least margin of a review. Raises as ``asked`` does."""
        return self._take(
            self._publisher.publish(
                lambda now: msgspec.structs.replace(now, review_margin=margin, made_by=KEEPER, why=why)
            )
        )

    def margin_is_ours(self) -> bool:
        """Whether the margin in force was set by review capacity, not by a person."""
        margin, setter = self.in_force().document.review_margin, ""
        for each in reversed(self.history()):
            if each.document.review_margin != margin:
                break
            setter = each.document.made_by
        return margin is not None and setter == KEEPER

    def _begin(self, found: InForce) -> None:
        document = found.document
        log.info("policy_in_force", version=document.version, offset=found.offset, made_by=document.made_by)
        if found.offset == FROM_FILE:
            return
        self._keep(found)
        try:
            compile_policy(self._pipeline, document)
        except PolicyError as error:
            self._alert(
                "policy_misfit", f"version {document.version}: {error}", {"version": document.version}
            )
        if self._differs(document):
            log.warning(
                "policy_file_not_in_force",
                why="a published policy is in force, not the decision section of the pipeline file; "
                "`sluicegate policy reset` publishes that",
                version=document.version,
            )

    def _differs(self, document: PolicyDocument) -> bool:
        file = content_in(default_document(self._pipeline))
        return msgspec.structs.replace(content_in(document), review_margin=file.review_margin) != file

    def _version(self, version: int, now: PolicyDocument) -> PolicyDocument:
        if version == now.version:
            return now
        if version == 0:
            return default_document(self._pipeline)
        for each in self.history():
            if each.document.version == version:
                return each.document
        raise ContractError(f"there is no policy version {version}; {now.version} is in force")

    def _take(self, made: InForce) -> InForce:
        self._keep(made)
        document = made.document
        log.info(
            "policy_published",
            version=document.version,
            offset=made.offset,
            made_by=document.made_by,
            why=document.why,
        )
        return made

    def _keep(self, found: InForce) -> None:
        document = found.document
        parameters = {
            "version": document.version,
            "offset": found.offset,
            "made_at": document.made_at,
            "made_by": document.made_by,
            "why": document.why,
            "document": msgspec.json.encode(document).decode(),
        }
        with self._one_at_a_time:
            self._store.execute(sql("add_policy"), parameters)


def _kept(row: dict[str, Any]) -> InForce:
    return InForce(row["offset"], msgspec.json.decode(row["document"], type=PolicyDocument))
