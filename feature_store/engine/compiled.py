"""The one door to Numba: functions compiled to machine code once per machine, then loaded from a cache.

The cache lies in a folder named after all kernel sources and Numba's version: Numba itself notices a change
of a function's own file only, not of what it calls.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numba
from numba.core.caching import FunctionCache

if TYPE_CHECKING:
    from collections.abc import Callable

Function = TypeVar("Function", bound="Callable[..., object]")

_HERE = Path(__file__).parent
_SHARED = {"compiled", "layout"}


def _cache_folder() -> Path:
    sources = hashlib.sha256(numba.__version__.encode())
    for file in sorted(_HERE.glob("*.py")):
        source = file.read_bytes()
        if b"engine.compiled import" in source or file.stem in _SHARED:
            sources.update(source)
    name = f"kernels-{sources.hexdigest()[:16]}"
    caches = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    for home in (_HERE / "__pycache__", caches):
        try:
            folder = home.expanduser() / name
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except (OSError, RuntimeError):  # not there to be written to; a user without a home
            continue
        if os.access(folder, os.W_OK):
            return folder
    return _temporary_folder(Path(tempfile.gettempdir()) / f"sluicegate-{os.getuid()}", name)


def _temporary_folder(home: Path, name: str) -> Path:
    """A cache where anybody may write: Numba runs what it finds in it, so nobody else may have put it there.

    Where somebody else was there first, everything is compiled for this process alone.
    """
    try:
        for folder in (home, home / name):
            folder.mkdir(exist_ok=True, mode=0o700)
            found = folder.lstat()
            if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o022:
                raise PermissionError(folder)
    except OSError:
        return Path(tempfile.mkdtemp(prefix="sluicegate-kernels-"))
    return home / name


_settings: Any = numba.config
_settings.CACHE_DIR = str(_cache_folder())


# Kernels hold no references of their own: counting them for every array of every call takes four times as
# long as the work itself. So a kernel cannot make arrays; it works on those that it is given.
_OPTIONS: Any = {"nogil": True, "error_model": "numpy", "_nrt": False}


class _Cache(FunctionCache):
    """Numba's own reads all that it can compile before it loads what is compiled already: half a second.

    Our kernels need none of it to run, and the compiler reads it by itself.
    """

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """What was compiled for ``sig``; None where nothing was, or where it cannot be read any more: files
        are not synced, and a machine that loses its power may keep a part of them.
        """
        try:
            return self._load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        except Exception:  # noqa: BLE001  (what half a file makes of unpickling is anything)
            self.flush()  # type: ignore[no-untyped-call]
            return None


def compiled(function: Function) -> Function:
    """Compile what Python calls, at its first call; it must not need Python objects. It releases the GIL."""
    kernel: Any = numba.njit(**_OPTIONS)(function)
    kernel._cache = _Cache(function)  # type: ignore[no-untyped-call]  # noqa: SLF001  (as `cache=True` does)
    return cast("Function", kernel)


def called(function: Function) -> Function:
    """Compile what kernels call now and then."""
    kernel: Function = numba.njit(**_OPTIONS)(function)
    return kernel


def inlined(function: Function) -> Function:
    """Compile what kernels call all the time: it becomes part of its caller."""
    kernel: Function = numba.njit(forceinline=True, **_OPTIONS)(function)
    return kernel
