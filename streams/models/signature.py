"""Ed25519 signatures of what the models topic says; checked here, made by the keeper (training/signing.py).

A signature is over what kind of record it is, of which pipeline, and its JSON without the signature, keys in
order: a manifest names its artifact's digest, a release its epoch, so neither can be put in another's place.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from feature_store.errors import ConfigError, ContractError
from streams.messages.model import Signature

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Kind = Literal["manifest", "release"]

_KEY_BYTES = 32
_MOST_FILE = 10_000
_SETTING = "serving.trusted_keys"


class SignatureError(ContractError):
    """A record of the models topic is not signed by anyone who is trusted."""


class TrustedKeys:
    """The public keys of ``serving.trusted_keys``; without any, everything is taken as it is."""

    def __init__(self, keys: Iterable[str]) -> None:
        """Each is a raw public key in base64, or a file with one, or with one in PEM. Raises ConfigError."""
        self._keys = {public_text(key): key for key in map(_key, keys)}

    def __bool__(self) -> bool:
        return bool(self._keys)

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def check(self, kind: Kind, pipeline: str, name: str, record: Mapping[str, Any]) -> None:
        """Raises SignatureError where ``record``, decoded JSON, is not signed by a trusted key.

        ``name`` is what a person calls it.
        """
        if not self._keys:
            return
        if record.get("signature") is None:
            raise SignatureError(f"{name} is not signed, and {_SETTING} asks for a signature")
        try:
            found = msgspec.convert(record["signature"], Signature)
            value = base64.b64decode(found.value, validate=True)
        except (msgspec.ValidationError, binascii.Error) as error:
            raise SignatureError(f"{name}: its signature is none: {error}") from error
        key = self._keys.get(found.key)
        if key is None:
            raise SignatureError(f"{name} is signed by {found.key[:60]!r}, which is not in {_SETTING}")
        try:
            key.verify(value, signed_bytes(kind, pipeline, record))
        except InvalidSignature:
            raise SignatureError(f"{name}: its signature is not of this content") from None


def signed_bytes(kind: Kind, pipeline: str, record: Mapping[str, Any]) -> bytes:
    """What a signature is over; ``record`` is the decoded JSON."""
    content = {name: value for name, value in record.items() if name != "signature"}
    return f"sluicegate {kind} {pipeline}\n".encode() + msgspec.json.encode(content, order="sorted")


def public_text(key: Ed25519PublicKey) -> str:
    """A public key as ``serving.trusted_keys`` names it."""
    return base64.b64encode(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def _key(text: str) -> Ed25519PublicKey:
    raw = _raw(text)
    if raw is not None:
        return Ed25519PublicKey.from_public_bytes(raw)
    path = Path(text).expanduser()
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_FILE)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{_SETTING}: {text!r} is neither an Ed25519 public key in base64 (44 characters) nor a file "
            f"that can be read: {error}"
        ) from None
    raw = _raw(content.decode("ascii", errors="replace").strip())
    if raw is not None:
        return Ed25519PublicKey.from_public_bytes(raw)
    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{_SETTING}: {path}: no public key: {error}") from None
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError(f"{_SETTING}: {path}: expected an Ed25519 public key")
    return key


def _raw(text: str) -> bytes | None:
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return found if len(found) == _KEY_BYTES else None
