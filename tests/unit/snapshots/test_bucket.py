"""Snapshots and artifacts in a bucket: the real client against a server that answers as S3 does."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import numpy as np
import pytest

from feature_store.declaration.artifacts import ArtifactSpec
from feature_store.errors import StorageError
from feature_store.snapshots import PartitionPosition, Shelf, Snapshot, open_folder
from streams.models.artifacts import ArtifactStore
from tests.support.payments import private_pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Bucket(BaseHTTPRequestHandler):
    """One bucket, in memory; whoever knows no key gets no answer."""

    objects: dict[str, bytes]

    def do_PUT(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        self.objects[self._key()] = data
        self._answer(200)

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        if "AWS4-HMAC-SHA256 Credential=known/" not in self.headers["Authorization"]:
            self._answer(403, b"<Error><Code>AccessDenied</Code></Error>")
        elif "list-type" in asked:
            names = [name for name in self.objects if name.startswith(asked["prefix"][0])]
            self._answer(200, listing(names).encode())
        elif self._key() in self.objects:
            self._answer(200, self.objects[self._key()])
        else:
            self._answer(404)

    def do_DELETE(self) -> None:
        self.objects.pop(self._key(), None)
        self._answer(204)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        names = [part.split("</Key>")[0] for part in body.split("<Key>")[1:]]
        for name in names:
            self.objects.pop(name, None)
        gone = "".join(f"<Deleted><Key>{name}</Key></Deleted>" for name in names)
        self._answer(200, f"<DeleteResult>{gone}</DeleteResult>".encode())

    def log_message(self, *_: object) -> None: ...

    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).removeprefix("/snapshots/")

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"1"')
        self.send_header("Last-Modified", "Mon, 05 Jan 2026 00:00:00 GMT")
        self.end_headers()
        self.wfile.write(body)


def listing(names: list[str]) -> str:
    about = "<LastModified>2026-01-05T00:00:00.000Z</LastModified><Size>1</Size>"
    found = "".join(f"<Contents><Key>{escape(name)}</Key>{about}</Contents>" for name in names)
    return f"<ListBucketResult><IsTruncated>false</IsTruncated>{found}</ListBucketResult>"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    objects: dict[str, bytes] = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Mine", (Bucket,), {"objects": objects}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "known")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not in any file")
    yield objects
    server.shutdown()
    thread.join()
    server.server_close()


def snapshot(number: int) -> Snapshot:
    arrays = {"a": np.arange(number)}
    return Snapshot("payments", "all", {0: PartitionPosition(number)}, {}, number, number, arrays)


def test_snapshots_go_to_a_bucket_and_come_back(bucket: dict[str, bytes], tmp_path: Path) -> None:
    shelf = Shelf(open_folder("s3://snapshots/gate/eu/", tmp_path), "payments", keep=2)
    for number in (1, 2, 3):
        shelf.put(snapshot(number))
    assert [found.seq for _, found in shelf.newest_first("all")] == [3, 2]
    assert [name.rpartition("-")[0] for name in sorted(bucket)] == [
        "gate/eu/payments/all/000000000002",
        "gate/eu/payments/all/000000000003",
    ]
    assert not list(tmp_path.iterdir())


def test_a_wrong_key_is_said_and_never_shown(
    bucket: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "unknown")
    shelf = Shelf(open_folder("s3://snapshots/gate", tmp_path), "payments", keep=2)
    with pytest.raises(
        StorageError, match=r"serving.snapshots.store: cannot list .* credentials in the environment"
    ) as said:
        shelf.put(snapshot(1))
    assert "not in any file" not in str(said.value)
    assert bucket == {}


def test_artifacts_go_to_a_bucket_and_what_nobody_names_is_swept(
    bucket: dict[str, bytes], tmp_path: Path
) -> None:
    _, pipeline = private_pipeline(tmp_path, "large")
    spec = ArtifactSpec(store="s3://snapshots/gate", inline_below=0)
    training = pipeline.training.model_copy(update={"artifacts": spec})
    store = ArtifactStore(pipeline.model_copy(update={"training": training}))
    kept, left = store.put(b"kept"), store.put(b"left behind")
    assert sorted(bucket) == sorted(f"gate/large/{info.store}" for info in (kept, left))
    assert store.get(kept) == b"kept"
    assert store.sweep({kept.sha256}, 86_400.0) == [left.sha256]
    bucket[f"gate/large/{kept.store}"] = b"kept, and more"
    with pytest.raises(StorageError, match="it has 14 bytes, expected 4"):
        store.get(kept)
    store.delete(kept)
    assert bucket == {}
    with pytest.raises(StorageError, match=r"training\.artifacts\.store: cannot read"):
        store.get(kept)
