"""A schema registry for tests: one schema, and it can be away."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class Registry:
    """Answers with ``status``; 200: with the schema, whose number is 1."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.status = 200
        self.asked = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked += 1
                known = self.path.startswith("/schemas/ids/1")
                status = outer.status if known or outer.status != 200 else 404
                answer: dict[str, Any] = {"schema": json.dumps(schema)}
                if status == 404:
                    answer = {"error_code": 40403, "message": "no such schema"}
                    number = self.path.removeprefix("/schemas/ids/").partition("?")[0]
                    if int(number) >= 2**31:  # as the real one, to which this is no number of a schema
                        answer = {"error_code": 404, "message": "HTTP 404 Not Found"}
                if status not in (200, 404):
                    answer = {"error_code": 50001, "message": "not now"}
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@contextmanager
def running_registry(schema: dict[str, Any]) -> Iterator[Registry]:
    """One that answers until the block ends."""
    registry = Registry(schema)
    thread = threading.Thread(target=registry.server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield registry
    finally:
        registry.server.shutdown()
        thread.join()
        registry.server.server_close()
