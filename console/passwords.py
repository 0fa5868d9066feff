"""Passwords, kept as scrypt hashes: ``scrypt$LOG2_N$R$P$SALT$HASH``, the last two in base64."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode
from dataclasses import dataclass

from feature_store.errors import ConfigError

LEAST_LETTERS = 12
_MOST_BYTES = 1_024
_SALT_BYTES = 16
_SPARE = 2
"""OpenSSL counts a little more than the 128 n r bytes of the algorithm's own table."""


@dataclass(frozen=True)
class Cost:
    """What a guess costs: ``128 * 2**log2_n * r`` bytes, ``p`` times over.

    The default is one of those that OWASP's Password Storage Cheat Sheet calls equal: 32 MiB, three times.
    """

    log2_n: int = 15
    r: int = 8
    p: int = 3

    def hash(self, password: str, salt: bytes) -> bytes:
        """The hash of a password."""
        n = 1 << self.log2_n
        most = _SPARE * 128 * n * self.r
        return hashlib.scrypt(password.encode(), salt=salt, n=n, r=self.r, p=self.p, maxmem=most)


def hashed(password: str, cost: Cost) -> str:
    """What is kept of a password. Raises ConfigError for one that is too short or too long."""
    if len(password) < LEAST_LETTERS:
        raise ConfigError(f"the password has {len(password)} letters; expected at least {LEAST_LETTERS}")
    if len(password.encode()) > _MOST_BYTES:
        raise ConfigError(f"the password is longer than {_MOST_BYTES} bytes")
    salt = secrets.token_bytes(_SALT_BYTES)
    return _written(cost, salt, cost.hash(password, salt))


def unguessable(cost: Cost) -> str:
    """What no password matches; to look at where nobody of a name is known, so that it takes as long."""
    return _written(cost, secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(64))


def matches(password: str, kept: str) -> bool:
    """Whether ``kept`` was made from this password; takes as long either way."""
    _, log2_n, r, p, salt, right = kept.split("$")
    if len(password.encode()) > _MOST_BYTES:
        return False
    given = Cost(int(log2_n), int(r), int(p)).hash(password, b64decode(salt))
    return hmac.compare_digest(given, b64decode(right))


def _written(cost: Cost, salt: bytes, found: bytes) -> str:
    told = (b64encode(part).decode() for part in (salt, found))
    return "$".join(["scrypt", str(cost.log2_n), str(cost.r), str(cost.p), *told])
