from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from feature_store.errors import ConfigError, ContractError
from streams.messages import Release, Signature
from streams.messages.model import earlier_key, manifest_key, release_key
from streams.models.assembly import ModelsTopic
from streams.models.signature import SignatureError, TrustedKeys
from tests.support.models import manifest_of
from tests.support.payments import private_pipeline
from training.signing import Signer, load_key, make_key, signer_of

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.messages import Manifest


@pytest.fixture
def key(tmp_path: Path) -> Path:
    make_key(tmp_path / "key.pem")
    return tmp_path / "key.pem"


@pytest.fixture
def declared(tmp_path: Path) -> Pipeline:
    return private_pipeline(tmp_path, "signed")[1]


@pytest.fixture
def signer(declared: Pipeline, key: Path) -> Signer:
    return Signer(declared.name, load_key(key))


def trusting(pipeline: Pipeline, *keys: str | None) -> Pipeline:
    serving = pipeline.serving.model_copy(update={"trusted_keys": tuple(map(str, keys))})
    return pipeline.model_copy(update={"serving": serving})


def release(epoch: int, champion: str = "m1") -> Release:
    return Release(epoch, champion, "2026-01-05T00:00:00Z", "test", canary_share=0.25)


def feed(topic: ModelsTopic, pipeline: Pipeline, record: Manifest | Release) -> bool:
    key = (
        release_key(pipeline.name)
        if isinstance(record, Release)
        else manifest_key(pipeline.name, record.version)
    )
    return topic.feed(key, msgspec.json.encode(record))


def test_what_the_keeper_signed_is_taken_and_nothing_else(declared: Pipeline, signer: Signer) -> None:
    pipeline = trusting(declared, signer.public_key)
    topic = ModelsTopic(pipeline)
    manifest = manifest_of(pipeline, "m1", b"trees")
    feed(topic, pipeline, manifest)
    with pytest.raises(ContractError, match="m1 is not signed"):
        topic.fetcher("m1")
    feed(topic, pipeline, signer.manifest(manifest))
    assert topic.manifest("m1").version == "m1"
    with pytest.raises(SignatureError, match="epoch 7 is not signed"):
        feed(topic, pipeline, release(7))
    assert topic.release is None
    assert topic.newest_epoch == 7
    assert feed(topic, pipeline, signer.release(release(8)))


def test_a_release_that_acted_before_is_signed_as_any_and_stands_under_its_own_epoch(
    declared: Pipeline, signer: Signer
) -> None:
    pipeline = trusting(declared, signer.public_key)
    topic = ModelsTopic(pipeline)
    first, second, third = (signer.release(release(epoch)) for epoch in (1, 2, 3))
    for epoch, each in ((1, first), (2, release(2)), (4, signer.release(release(4)))):
        assert not topic.feed(earlier_key(pipeline.name, epoch), msgspec.json.encode(each))
    assert feed(topic, pipeline, third)
    assert topic.earlier == [first]
    with pytest.raises(ContractError, match="under epoch 2 is of 1"):
        topic.feed(earlier_key(pipeline.name, 2), msgspec.json.encode(first))
    with pytest.raises(ContractError, match="malformed"):
        topic.feed(earlier_key(pipeline.name, 2), b"{")
    assert (topic.malformed, topic.newest_epoch) == (None, 3)
    topic.feed(earlier_key(pipeline.name, 2), msgspec.json.encode(second))
    topic.feed(earlier_key(pipeline.name, 1), None)
    assert topic.earlier == [second]


def test_a_forgery_does_not_take_the_place_of_what_is_sound(declared: Pipeline, signer: Signer) -> None:
    pipeline = trusting(declared, signer.public_key)
    topic = ModelsTopic(pipeline)
    signed = signer.manifest(manifest_of(pipeline, "m1", b"trees"))
    feed(topic, pipeline, signed)
    feed(topic, pipeline, msgspec.structs.replace(signed, rows=1))
    assert topic.manifest("m1") == signed


@pytest.mark.parametrize(
    "change",
    [{"rows": 401}, {"metrics": {"average_precision": 0.99}}, {"trained_at": "2027"},
     {"artifact": {"length": 5, "sha256": "0" * 64, "chunks": 1, "store": None}}],
)  # fmt: skip
def test_any_change_of_a_manifest_is_seen(declared: Pipeline, signer: Signer, change: dict[str, Any]) -> None:
    record = built(signer.manifest(manifest_of(declared, "m1", b"trees")))
    trusted = TrustedKeys([str(signer.public_key)])
    trusted.check("manifest", declared.name, "it", record)
    with pytest.raises(SignatureError, match="not of this content"):
        trusted.check("manifest", declared.name, "it", record | change)


def test_a_signature_says_what_it_is_of(declared: Pipeline, signer: Signer) -> None:
    trusted = TrustedKeys([str(signer.public_key)])
    record = built(signer.release(release(3)))
    trusted.check("release", declared.name, "it", record)
    for kind, pipeline in (("manifest", declared.name), ("release", "another")):
        with pytest.raises(SignatureError):
            trusted.check(kind, pipeline, "it", record)  # type: ignore[arg-type]
    with pytest.raises(SignatureError):
        trusted.check("release", declared.name, "it", record | {"epoch": 4})


def test_fields_that_a_reader_does_not_know_are_signed_too(declared: Pipeline, signer: Signer) -> None:
    """A scorer of an older version still verifies what a newer keeper writes, all of it."""

    class Later(Release, frozen=True):
        more: str = "said by a later version"

    later = Later(3, "m1", "2026-01-05T00:00:00Z", "test")
    record = built(signer.release(later))
    trusted = TrustedKeys([str(signer.public_key)])
    trusted.check("release", declared.name, "it", record)
    with pytest.raises(SignatureError):
        trusted.check("release", declared.name, "it", record | {"more": "something else"})


@pytest.mark.parametrize(
    "signature",
    ["m", 7, {}, {"key": "k"}, {"key": "k", "value": "!"}, {"key": "k" * 100, "value": ""},
     {"key": "k", "value": "AAAA"}],
)  # fmt: skip
def test_what_is_no_signature_is_refused_in_words(signer: Signer, signature: object) -> None:
    with pytest.raises(SignatureError):
        TrustedKeys([str(signer.public_key)]).check("release", "p", "it", {"signature": signature})


def test_keys_change_one_after_the_other(declared: Pipeline, signer: Signer, tmp_path: Path) -> None:
    make_key(tmp_path / "new.pem")
    new = Signer(declared.name, load_key(tmp_path / "new.pem"))
    for keys, taken in (((signer.public_key,), [True, False]),
                        ((signer.public_key, new.public_key), [True, True]),
                        ((new.public_key,), [False, True])):  # fmt: skip
        pipeline = trusting(declared, *keys)
        topic = ModelsTopic(pipeline)
        for version, by in (("old", signer), ("young", new)):
            feed(topic, pipeline, by.manifest(manifest_of(pipeline, version, b"trees")))
        assert [version in topic.manifests for version in ("old", "young")] == taken


def test_a_trusted_key_may_stand_in_a_file(signer: Signer, tmp_path: Path) -> None:
    public = str(signer.public_key)
    (tmp_path / "raw").write_text(public + "\n", encoding="ascii")
    pem = (
        load_key(tmp_path / "key.pem")
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    (tmp_path / "pem").write_bytes(pem)
    for name in ("raw", "pem"):
        assert public in TrustedKeys([str(tmp_path / name)])


@pytest.mark.parametrize("text", ["", "AAAA", "nowhere.pem", "\0", base64.b64encode(b"x" * 31).decode()])
def test_what_is_no_key_is_a_config_error_naming_the_setting(text: str) -> None:
    with pytest.raises(ConfigError, match=r"serving\.trusted_keys"):
        TrustedKeys([text])


def test_the_private_key_is_its_owners_alone_and_never_overwritten(key: Path) -> None:
    assert key.stat().st_mode & 0o077 == 0
    with pytest.raises(ConfigError, match="never overwritten"):
        make_key(key)
    key.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        load_key(key)


def test_what_is_no_private_key_is_said_without_its_content(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.touch(0o600)
    path.write_text("top secret", encoding="ascii")
    with pytest.raises(ConfigError, match="PKCS8") as said:
        load_key(path)
    assert "top secret" not in str(said.value)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_key(tmp_path / "nowhere")


def test_a_keeper_that_scorers_would_not_believe_does_not_start(
    declared: Pipeline, signer: Signer, key: Path, tmp_path: Path
) -> None:
    other = make_key(tmp_path / "other.pem")
    with pytest.raises(ConfigError, match="has no key"):
        signer_of(trusting(declared, other), None)
    with pytest.raises(ConfigError, match="not among them"):
        signer_of(trusting(declared, other), key)
    assert signer_of(trusting(declared, other, signer.public_key), key).public_key == signer.public_key
    assert signer_of(declared, key).public_key == signer.public_key
    assert signer_of(declared, None).release(release(1)) == release(1)


def test_old_records_without_a_signature_are_taken_where_nobody_asks(declared: Pipeline) -> None:
    topic = ModelsTopic(declared)
    assert feed(topic, declared, release(1))
    assert topic.release is not None
    assert topic.release.signature is None


def test_a_signature_in_a_record_is_two_texts(signer: Signer) -> None:
    signed = signer.release(release(1)).signature
    assert isinstance(signed, Signature)
    assert (len(signed.key), len(signed.value)) == (44, 88)


def built(record: msgspec.Struct) -> dict[str, Any]:
    return msgspec.json.decode(msgspec.json.encode(record), type=dict[str, Any])
