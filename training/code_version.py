"""Which code a model was made by: the distribution, the Git commit where there is one, the files."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("feature_store", "streams", "training")
"""Of these a model is made; ``console`` only shows it."""
_COMMIT_LENGTH = 40


class CodeVersion(msgspec.Struct, frozen=True):
    """``commit``: None outside a repository; ``files``: a digest of them as they are, committed or not."""

    package: str
    commit: str | None
    files: str


@cache
def code_version() -> CodeVersion:
    """Of what runs here."""
    return CodeVersion(f"sluicegate {version('sluicegate')}", commit_of(ROOT), digest_of(ROOT))


def digest_of(root: Path) -> str:
    """SHA-256 over names and contents of the Python and SQL files that models are made by, below ``root``."""
    digest = hashlib.sha256()
    files = [file for name in PACKAGES for kind in ("*.py", "*.sql") for file in (root / name).rglob(kind)]
    for file in sorted(files):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(root).as_posix()}\n{len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def commit_of(root: Path) -> str | None:
    """The Git commit that is checked out in ``root``; None where that is no repository."""
    git = root / ".git"
    try:
        head = (git / "HEAD").read_text(encoding="ascii").strip()
        if not head.startswith("ref: "):
            return _commit(head)
        ref = head.removeprefix("ref: ")
        if (git / ref).is_file():
            return _commit((git / ref).read_text(encoding="ascii").strip())
        packed = (git / "packed-refs").read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    return next((_commit(line.split()[0]) for line in packed if line.endswith(f" {ref}")), None)


def _commit(text: str) -> str | None:
    return text if len(text) == _COMMIT_LENGTH else None
