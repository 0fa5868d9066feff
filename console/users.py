"""Who may use the console: names, roles and hashed passwords, in ``users.json`` of the state folder.

The keeper reads the file; the commands write it, whether the keeper runs or not. What they changed stands in
it until the keeper has noted it in the audit trail.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from typing import TYPE_CHECKING

import msgspec

from console.passwords import Cost, hashed, matches, unguessable
from feature_store.errors import ConfigError
from feature_store.formats import FIRST, NewerFormatError, refuse_newer
from feature_store.roles import RoleName
from feature_store.units import to_text
from feature_store.whole_file import write_atomically
from streams.broker.state_lock import exclusive

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path


USERS = "users.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_LOCK_SECONDS = 10.0


class User(msgspec.Struct, frozen=True):
    """A person; ``stamp`` is another one after every change, and ends what was begun under the one before."""

    name: str
    role: RoleName
    password: str
    stamp: str


class UserChange(msgspec.Struct, frozen=True):
    """What a command did to a user; roles, None where there was or is none."""

    who: str
    what: str
    name: str
    before: RoleName | None
    after: RoleName | None
    at: str
    """When, by this machine's clock (RFC 3339): the keeper may note it much later."""


class _File(msgspec.Struct, frozen=True):
    users: dict[str, User] = {}
    unnoted: tuple[UserChange, ...] = ()
    format: int = FIRST

    def __post_init__(self) -> None:
        """Raises NewerFormatError."""
        refuse_newer(self.format)


class Users:
    """The file of users; usable from any thread, and beside other processes that do the same."""

    def __init__(self, state_dir: Path, cost: Cost | None = None) -> None:
        """``cost``: of new passwords."""
        self._path = state_dir / USERS
        self._cost = cost or Cost()
        self._one_at_a_time = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._known = _File()
        self._nobody = unguessable(self._cost)

    def all(self) -> dict[str, User]:
        """Everybody, by name. Raises ConfigError where the file is not what it should be."""
        return dict(self._read().users)

    def find(self, name: str) -> User | None:
        """The user of that name now."""
        return self._read().users.get(name)

    def checked(self, name: str, password: str) -> User | None:
        """The user, if the password is right; as slow for a name that is not there."""
        user = self.find(name)
        right = matches(password, user.password if user else self._nobody)
        return user if right else None

    def add(self, name: str, role: RoleName, password: str, by: str) -> None:
        """Add a user. Raises ConfigError for a name that is taken or unfit, and for a short password."""
        if not _NAME.fullmatch(name):
            raise ConfigError(f"{name!r} is not a user's name: letters, digits and . _ @ -, at most 64")
        kept = hashed(password, self._cost)

        def change(users: dict[str, User]) -> UserChange:
            if name in users:
                raise ConfigError(
                    f"there is a user {name!r} already; use `sluicegate users password` or `users role`"
                )
            users[name] = User(name, role, kept, secrets.token_hex(8))
            return _told(by, "user_add", name, None, role)

        self._change(change)

    def remove(self, name: str, by: str) -> None:
        """Remove a user. Raises ConfigError where there is none."""

        def change(users: dict[str, User]) -> UserChange:
            return _told(by, "user_remove", name, users.pop(name).role, None)

        self._change(change, name)

    def set_password(self, name: str, password: str, by: str) -> None:
        """Give a user another password. Raises ConfigError where there is none, or it is too short."""
        kept = hashed(password, self._cost)

        def change(users: dict[str, User]) -> UserChange:
            role = users[name].role
            users[name] = User(name, role, kept, secrets.token_hex(8))
            return _told(by, "user_password", name, role, role)

        self._change(change, name)

    def set_role(self, name: str, role: RoleName, by: str) -> None:
        """Give a user another role. Raises ConfigError where there is none."""

        def change(users: dict[str, User]) -> UserChange:
            before = users[name]
            users[name] = User(name, role, before.password, secrets.token_hex(8))
            return _told(by, "user_role", name, before.role, role)

        self._change(change, name)

    def take_unnoted(self, note: Callable[[UserChange], None]) -> None:
        """Let ``note`` have what commands changed, once each, oldest first."""
        if not self._read().unnoted:
            return
        with self._locked():
            found = self._read()
            for each in found.unnoted:
                note(each)
            self._keep(msgspec.structs.replace(found, unnoted=()))

    def _change(self, change: Callable[[dict[str, User]], UserChange], expected: str | None = None) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._locked():
            found = self._read()
            users = dict(found.users)
            if expected is not None and expected not in users:
                raise ConfigError(
                    f"there is no user {expected!r}; known: {', '.join(sorted(users)) or 'none'}"
                )
            done = change(users)
            self._keep(_File(users, (*found.unnoted, done)))

    def _locked(self) -> AbstractContextManager[int]:
        return exclusive(self._path.with_name("users.lock"), wait_seconds=_LOCK_SECONDS)

    def _read(self) -> _File:
        with self._one_at_a_time:
            try:
                status = self._path.stat()
            except FileNotFoundError:
                self._seen, self._known = None, _File()
                return self._known
            seen = (status.st_ino, status.st_mtime_ns, status.st_size)
            if seen != self._seen:
                self._known = self._decoded()
                self._seen = seen
            return self._known

    def _decoded(self) -> _File:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_File)
        except NewerFormatError as error:
            raise ConfigError(f"{self._path}: {error}") from error
        except (OSError, msgspec.MsgspecError) as error:
            raise ConfigError(
                f"{self._path}: cannot be read as users ({error}); repair it, or remove it and add them again"
            ) from error

    def _keep(self, content: _File) -> None:
        write_atomically(self._path, msgspec.json.encode(content), private=True)


def _told(by: str, what: str, name: str, before: RoleName | None, after: RoleName | None) -> UserChange:
    return UserChange(by, what, name, before, after, to_text(time.time_ns() // 1_000))
