"""Signing what the keeper publishes: an Ed25519 key in a file that only its owner can read."""

from __future__ import annotations

import base64
import os
import stat
from typing import TYPE_CHECKING, Any

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from feature_store.errors import ConfigError
from streams.messages.model import Signature
from streams.models.signature import TrustedKeys, public_text, signed_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.messages import Manifest, Release
    from streams.models.signature import Kind

KEY_VARIABLE = "SLUICEGATE_SIGNING_KEY"
"""The environment variable that names the file of the key."""

_MOST_FILE = 10_000


class Signer:
    """Signs manifests and releases of one pipeline; without a key it leaves them as they are."""

    def __init__(self, pipeline: str, key: Ed25519PrivateKey | None = None) -> None:
        self._pipeline = pipeline
        self._key = key

    @property
    def public_key(self) -> str | None:
        """As ``serving.trusted_keys`` names it; None without a key."""
        return None if self._key is None else public_text(self._key.public_key())

    def manifest(self, manifest: Manifest) -> Manifest:
        """``manifest``, signed."""
        return msgspec.structs.replace(manifest, signature=self._signature("manifest", manifest))

    def release(self, release: Release) -> Release:
        """``release``, signed: to be called when nothing in it changes any more."""
        return msgspec.structs.replace(release, signature=self._signature("release", release))

    def _signature(self, kind: Kind, record: msgspec.Struct) -> Signature | None:
        if self._key is None:
            return None
        content = msgspec.json.decode(msgspec.json.encode(record), type=dict[str, Any])
        value = self._key.sign(signed_bytes(kind, self._pipeline, content))
        return Signature(public_text(self._key.public_key()), base64.b64encode(value).decode())


def signer_of(pipeline: Pipeline, path: Path | None) -> Signer:
    """Who signs for a keeper that was given the key in ``path``, or none.

    Raises ConfigError for a key that cannot be used, and where scorers would refuse all that is published.
    """
    trusted = TrustedKeys(pipeline.serving.trusted_keys)
    signer = Signer(pipeline.name, None if path is None else load_key(path))
    if trusted and signer.public_key is None:
        raise ConfigError(
            "serving.trusted_keys: scorers will refuse what is not signed, and this keeper has no key: give "
            f"it one with --signing-key FILE or ${KEY_VARIABLE}"
        )
    if trusted and str(signer.public_key) not in trusted:
        raise ConfigError(
            "serving.trusted_keys: the keeper's key is not among them, so scorers would refuse what it "
            f"signs: add {signer.public_key}"
        )
    return signer


def load_key(path: Path) -> Ed25519PrivateKey:
    """A private key: PKCS8 in PEM, not encrypted, for its owner alone. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
                raise ConfigError(f"{path}: others than its owner may use this key: chmod 600 {path}")
            key = load_pem_private_key(file.read(_MOST_FILE), password=None)
    except OSError as error:
        raise ConfigError(f"{path}: the signing key cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigError(
            f"{path}: expected an Ed25519 private key, PKCS8 in PEM and not encrypted, as "
            "`sluicegate models keygen` writes it"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path}: expected an Ed25519 private key; `sluicegate models keygen` makes one")
    return key


def make_key(path: Path) -> str:
    """Write a new private key to ``path``, for its owner alone; returns the public key.

    Raises ConfigError where something is there already, or nothing can be written there.
    """
    key = Ed25519PrivateKey.generate()
    content = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise ConfigError(f"{path}: there is a file already; a key is never overwritten") from None
    except OSError as error:
        raise ConfigError(f"{path}: the key cannot be written: {error.strerror}") from None
    return public_text(key.public_key())
