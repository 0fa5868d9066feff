"""A local Apache Kafka as a security department runs it: TLS, SCRAM users, client certificates, ACLs."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from streams.broker.kafka_home import find_kafka
from streams.broker.kafka_server import running_kafka
from streams.broker.kafka_settings import Further, Listener
from streams.broker.ports import choose_ports
from tests.support.certificates import Authority

if TYPE_CHECKING:
    from collections.abc import Iterator

    from feature_store.declaration.pipeline import Pipeline

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "secure-kafka.md"
_ROW = re.compile(
    r"^\| `(?P<user>[\w-]+)` \| (?P<kind>[\w ]+) \| (?P<names>`.*`) \| (?P<operations>[\w, ]+) \|"
)
_KINDS = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactional id": ResourceType.TRANSACTIONAL_ID,
}
_WAIT_S = 20.0


@dataclass(frozen=True)
class SecureKafka:
    """Addresses, and what a user connects with."""

    plain: str
    """For the test alone: who connects here may do everything."""
    scram: str
    mutual: str
    authority: Authority

    @property
    def admin(self) -> AdminClient:
        """May do everything."""
        return AdminClient({"bootstrap.servers": self.plain})

    def add_user(self, name: str, password: str) -> None:
        """A user with a SCRAM password."""
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        change = UserScramCredentialUpsertion(name, info, password.encode())
        admin = self.admin
        for future in admin.alter_user_scram_credentials([change]).values():
            future.result(_WAIT_S)

    def allow(self, rights: list[AclBinding]) -> None:
        """Add ACLs."""
        admin = self.admin
        for future in admin.create_acls(rights).values():
            future.result(_WAIT_S)

    def deny(self, user: str, operation: str, topic: str) -> None:
        """Take a right away, whatever allows it."""
        denied = AclPermissionType.DENY
        self.allow([_right(ResourceType.TOPIC, topic, user, operation, permission=denied)])

    def scram_settings(self) -> dict[str, str]:
        """The section `kafka` of a pipeline file for users with passwords."""
        return {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": "${KAFKA_USER}",
            "sasl.password": "${KAFKA_PASSWORD}",
            "ssl.ca.location": str(self.authority.certificate),
        }

    def mutual_settings(self, user: str) -> dict[str, str]:
        """The section `kafka` for a user with a certificate."""
        certificate, key = self.authority.client(user)
        return {
            "security.protocol": "SSL",
            "ssl.ca.location": str(self.authority.certificate),
            "ssl.certificate.location": str(certificate),
            "ssl.key.location": str(key),
        }


@contextmanager
def running_secure_kafka(state: Path, jar_cache: Path) -> Iterator[SecureKafka]:
    """Raises KafkaUnavailableError where this machine cannot run one."""
    kafka = find_kafka(jar_cache, lambda _step: None)
    authority = Authority(state)
    scram, mutual = choose_ports(state / "secure-ports.json")
    listeners = (Listener("SCRAM", scram, "SASL_SSL"), Listener("MUTUAL", mutual, "SSL"))
    settings = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",  # the plain listener, which only the test knows
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.scram.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        "listener.name.mutual.ssl.client.auth": "required",
        "ssl.principal.mapping.rules": r"RULE:^CN=([a-z-]+)$/$1/",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(authority.server()),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.certificate),
    }
    further = Further(listeners, settings)
    with running_kafka(kafka, state, heap_mb=512, progress=lambda _step: None, further=further) as broker:
        yield SecureKafka(broker.bootstrap, f"127.0.0.1:{scram}", f"127.0.0.1:{mutual}", authority)


def documented_rights(pipeline: Pipeline) -> dict[str, list[AclBinding]]:
    """User -> the ACLs that docs/how-to/secure-kafka.md says it needs, for the topics of ``pipeline``."""
    names = {"pipeline": pipeline.name} | pipeline.topics.model_dump()
    rights: dict[str, list[AclBinding]] = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if found := _ROW.match(line):
            rights.setdefault(found["user"], []).extend(_rights(found, names))
    return rights


def _rights(row: re.Match[str], names: dict[str, str]) -> Iterator[AclBinding]:
    for written in re.findall(r"`([^`]+)`", row["names"]):
        for operation in row["operations"].split(", "):
            yield _right(_KINDS[row["kind"]], _ours(written, names), row["user"], operation)


def _right(
    kind: ResourceType,
    name: str,
    user: str,
    operation: str,
    *,
    permission: AclPermissionType = AclPermissionType.ALLOW,
) -> AclBinding:
    """An ACL; a name that ends in `*` is a prefix."""
    prefix = ResourcePatternType.PREFIXED if name.endswith("*") else ResourcePatternType.LITERAL
    spelt = AclOperation[re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).upper()]
    return AclBinding(kind, name.removesuffix("*"), prefix, f"User:{user}", "*", spelt, permission)


def _ours(written: str, names: dict[str, str]) -> str:
    """A name on the page (of the pipeline `payments` with the default topics) as this pipeline spells it."""
    topic = names.get(written.replace("-", "_"))
    return topic or written.replace("payments", names["pipeline"])
