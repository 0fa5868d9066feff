"""The console: by which names it is reached, who is let in beside its users, whose word a verdict is."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from feature_store.declaration.base import Declared
from feature_store.roles import RoleName
from feature_store.units import Duration

_HEADER = re.compile(r"^[A-Za-z0-9-]+$")
_NEVER_NAMES = {"host", "cookie", "origin", "connection", "content-length", "content-type"}
_MINUTE = 60_000_000


def _network(text: str) -> str:
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(
            f"{text!r} is not an address or network, like 10.0.0.7 or 10.0.0.0/24: {error}"
        ) from error
    return text


def _header(name: str) -> str:
    if not _HEADER.fullmatch(name) or name.lower() in _NEVER_NAMES:
        raise ValueError(f"{name!r} is not a header that names somebody, like X-Forwarded-User")
    return name


Network = Annotated[str, AfterValidator(_network)]
Header = Annotated[str, AfterValidator(_header)]


class ProxySpec(Declared):
    """A reverse proxy before the console. Its headers are believed from its own addresses alone."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    addresses: tuple[Network, ...] = Field(
        alias="from",
        min_length=1,
        description="addresses or networks that the proxy asks from; nobody else may be there",
    )
    user_header: Header | None = Field(
        default=None,
        description="holds the name of whoever the proxy let in; without it, people log in here",
    )
    role_header: Header | None = Field(default=None, description="holds their groups, apart by commas")
    roles: dict[str, RoleName] = Field(
        default_factory=dict,
        description="group, or name where there is no role_header -> role; of several the highest",
    )
    default_role: RoleName | None = Field(
        default=None, description="of those that roles does not name; without it they are not let in"
    )

    @model_validator(mode="after")
    def _lets_somebody_in(self) -> Self:
        told = self.role_header or self.roles or self.default_role
        if self.user_header is None and told:
            raise ValueError("user_header: missing; without it roles come from `sluicegate users`")
        if self.user_header is not None and not (self.roles or self.default_role):
            raise ValueError("roles: missing, and there is no default_role: nobody would be let in")
        return self

    def lets_in_from(self, address: str) -> bool:
        """Whether ``address`` is one of the proxy's."""
        try:
            given = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(given, ipaddress.IPv6Address) and given.ipv4_mapped is not None:
            given = given.ipv4_mapped
        return any(given in ipaddress.ip_network(network) for network in self.addresses)


class ConsoleSpec(Declared):
    """The web pages that the keeper serves."""

    hosts: tuple[str, ...] = Field(
        default=(),
        description="names by which browsers and proxy reach it, without a port, beside localhost; left out: "
        "no other, or any where the keeper listens on another address than loopback",
    )
    session_idle: Duration = Field(
        default=2 * 60 * _MINUTE, ge=_MINUTE, description="a session ends when it is not used for so long"
    )
    session_length: Duration = Field(
        default=12 * 60 * _MINUTE, ge=_MINUTE, description="a session ends then in any case"
    )
    proxy: ProxySpec | None = Field(default=None, description="without it no header says who asks")
    review_source: str | None = Field(
        default=None,
        description="the outcome source that verdicts of the review queue count as; left out: analyst where "
        "it is declared, else the first",
    )

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        if self.proxy is not None and self.proxy.user_header is not None and not self.hosts:
            # Else a page of any site, whose name leads here, could write the header itself.
            raise ValueError("hosts: missing; with proxy.user_header it must be known by which names we go")
        return self

    def verdicts_source(self, sources: dict[str, int]) -> str:
        """The outcome source of a verdict, among the declared ``sources``."""
        return self.review_source or ("analyst" if "analyst" in sources else next(iter(sources)))

    def check_against(self, sources: dict[str, int]) -> None:
        """Raise ValueError where verdicts would come from a source that is not declared."""
        if self.review_source is not None and self.review_source not in sources:
            raise ValueError(
                f"console.review_source: {self.review_source!r} is not one of outcomes.sources: "
                f"{', '.join(sources)}"
            )
