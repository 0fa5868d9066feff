"""Where the keeper listens, and that nobody else says who asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from feature_store.errors import StorageError
from training.keeper.address import url_of
from training.keeper.server import serving

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send


def who_asks(_token: str) -> ASGIApp:
    """Tells address and scheme that a request came with."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        response: Response = PlainTextResponse(
            f"{request.client and request.client.host} {request.url.scheme}"
        )
        await response(scope, receive, send)

    return application


def test_what_a_request_says_of_where_it_came_from_is_not_believed(tmp_path: Path) -> None:
    forged = {"x-forwarded-for": "10.0.0.7", "x-forwarded-proto": "https", "forwarded": "for=10.0.0.7"}
    with serving(who_asks, "127.0.0.1", 0, tmp_path) as address:
        assert httpx.get(address.url, headers=forged, trust_env=False).text == "127.0.0.1 http"


def test_it_listens_where_it_is_told_and_says_how_it_is_reached(tmp_path: Path) -> None:
    with serving(who_asks, "127.0.0.2", 0, tmp_path) as address:
        assert address.url.startswith("http://127.0.0.2:")
        assert httpx.get(address.url, trust_env=False).status_code == 200
        taken = int(address.url.rsplit(":", 1)[1])
        with (
            pytest.raises(StorageError, match="choose another with --port or --host"),
            serving(who_asks, "127.0.0.2", taken, tmp_path),
        ):
            pass
    with pytest.raises(StorageError, match=r"203\.0\.113\.1"), serving(who_asks, "203.0.113.1", 0, tmp_path):
        pass


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8321"),
        ("0.0.0.0", "http://127.0.0.1:8321"),  # noqa: S104 - nothing listens
        ("::", "http://[::1]:8321"),
        ("10.0.0.5", "http://10.0.0.5:8321"),
    ],
)
def test_this_machine_reaches_every_address_of_its_own(host: str, url: str) -> None:
    assert url_of(host, 8_321) == url
