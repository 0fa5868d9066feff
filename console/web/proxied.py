"""What a reverse proxy says about who asks; believed from the proxy's own addresses alone."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from typing import TYPE_CHECKING

from console.web.visitor import Role, Visitor

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

    from feature_store.declaration.console import ProxySpec

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_LONGEST_NAME = 200
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


class Proxied:
    """Reads the headers of one declared proxy, or of none."""

    def __init__(self, proxy: ProxySpec | None) -> None:
        self._proxy = proxy
        self._key = secrets.token_bytes(32)

    def came_through(self, request: HTTPConnection) -> bool:
        """Whether the declared proxy sent it."""
        return self._proxy is not None and self._proxy.lets_in_from(peer(request))

    def name(self, request: HTTPConnection) -> str | None:
        """Whom the proxy names; None for nobody, or for what can be no name."""
        if self._proxy is None or self._proxy.user_header is None or not self.came_through(request):
            return None
        given = request.headers.getlist(self._proxy.user_header)
        if len(given) != 1:  # a second one was sent past the proxy
            return None
        name = given[0].encode("latin-1").decode("utf-8", "replace").strip()
        return name if name and name.isprintable() and len(name) <= _LONGEST_NAME else None

    def visitor(self, request: HTTPConnection) -> Visitor | None:
        """Whom the proxy lets in, with the role that its headers and the pipeline file give."""
        name, proxy = self.name(request), self._proxy
        if name is None or proxy is None:
            return None
        groups = [name]
        if proxy.role_header is not None:
            told = request.headers.getlist(proxy.role_header)
            if len(told) > 1:  # one of them was sent past the proxy
                return None
            groups = [each.strip() for each in ",".join(told).split(",")]
        found = [Role(proxy.roles[each]) for each in groups if each in proxy.roles]
        if not found and proxy.default_role is not None:
            found = [Role(proxy.default_role)]
        if not found:
            return None
        role = max(found, key=list(Role).index)
        csrf = hmac.new(self._key, f"{role} {name}".encode(), hashlib.sha256).hexdigest()
        return Visitor(name, role, csrf)

    def address(self, request: HTTPConnection) -> str:
        """Who asks, as far as it is known for certain: what the proxy itself added last, else the peer."""
        if self.came_through(request):
            told = ",".join(request.headers.getlist("x-forwarded-for")).rsplit(",", 1)[-1].strip()
            if told:
                return told
        return peer(request)

    def host(self, request: HTTPConnection) -> str:
        """The name and port that the browser asked for."""
        told = request.headers.get("x-forwarded-host", "") if self.came_through(request) else ""
        return (told or request.headers.get("host", "")).lower()

    def is_https(self, request: HTTPConnection) -> bool:
        """Whether the browser asked over TLS."""
        told = request.headers.get("x-forwarded-proto", "") if self.came_through(request) else ""
        return (told or request.url.scheme).lower() == "https"


def peer(request: HTTPConnection) -> str:
    """The address at the other end of the connection."""
    return request.client.host if request.client is not None else ""


def is_local(request: HTTPConnection) -> bool:
    """Whether a browser of this machine asks, with no proxy between that could stand for another one."""
    if any(name in request.headers for name in _FORWARDED):
        return False
    try:
        return ipaddress.ip_address(peer(request)).is_loopback
    except ValueError:
        return False


def host_name(host: str) -> str:
    """The name in ``name:port`` or ``[::1]:port``."""
    return host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.split(":", 1)[0]
