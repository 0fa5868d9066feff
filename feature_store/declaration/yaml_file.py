"""The one door to YAML: files that people write, as plain Python; and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from feature_store.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

_NO_VALUE = (ValueError, LookupError, TypeError, AttributeError, OverflowError)
"""What the parser raises of a number, a time or a tag that is none."""
_DEEPEST = 100
_MOST_VALUES = 1_000_000
_MOST_BITS = 1_024


def read_tree(path: Path, begins_with: str) -> dict[Any, Any]:
    """The mapping in ``path``; ``begins_with`` is what it may begin with, to be told where there is none.

    Raises ConfigError naming the place of what is not YAML.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {_in_one_line(error)}") from error
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply") from None
    except _NO_VALUE as error:
        raise ConfigError(f"{path}: a value is not what YAML takes it for: {error}") from None
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: expected a mapping at the top, starting with `{begins_with}`")
    _refuse_grown(path, tree)
    return tree


def _refuse_grown(path: Path, tree: dict[Any, Any]) -> None:
    """Raise ConfigError where aliases lead back to themselves, or a few lines make ever so many values."""
    values = 0
    waiting: list[tuple[Any, int]] = [(tree, 0)]
    while waiting:
        node, depth = waiting.pop()
        values += 1
        if depth > _DEEPEST:
            raise ConfigError(f"{path}: nested too deeply, more than {_DEEPEST} levels, aliases (*) included")
        if isinstance(node, int) and node.bit_length() > _MOST_BITS:
            raise ConfigError(f"{path}: a number has more than {_MOST_BITS} bits")
        if values > _MOST_VALUES:
            raise ConfigError(f"{path}: more than {_MOST_VALUES} values, with what its aliases (*) repeat")
        if isinstance(node, dict | list):
            within = [*node, *node.values()] if isinstance(node, dict) else node
            waiting += [(each, depth + 1) for each in within]


def as_yaml(tree: dict[str, Any]) -> str:
    """A mapping as YAML, in its own order."""
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=110)


def _in_one_line(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return str(error)
    problem = str(getattr(error, "problem", None) or getattr(error, "context", ""))
    cure = "; indent with spaces" if "'\\t'" in problem else ""
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}{cure}"
