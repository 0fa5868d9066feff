"""The one door to YAML: files that people write, as plain Python; and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from feature_store.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


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
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: expected a mapping at the top, starting with `{begins_with}`")
    return tree


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
