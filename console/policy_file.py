"""The policy as a YAML file: what `policy show --yaml` prints and `policy set` reads."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from feature_store.declaration.yaml_file import as_yaml, read_tree
from feature_store.errors import PolicyError
from streams.policies import compile_policy, default_document
from training.policy.content import Content, understood, with_content

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline

_VERSION = "version"


def read_policy(path: Path) -> tuple[int | None, dict[str, Any]]:
    """The version that the file was made from, where it says so, and its content.

    Raises ConfigError for what is not YAML, PolicyError for what is not a policy.
    """
    tree = _texts(read_tree(path, "rules:"))
    version = tree.pop(_VERSION, None)
    if not isinstance(version, int | None):
        raise PolicyError(f"{path}: version: expected the number that `policy show` gave (found {version!r})")
    try:
        understood(tree, Content)
    except PolicyError as error:
        raise PolicyError(f"{path}: {error}") from None
    return version, tree


def check_policy(pipeline: Pipeline, path: Path) -> Content:
    """The content of a file that can act in ``pipeline``. Raises ConfigError or PolicyError."""
    _, tree = read_policy(path)
    content = understood(tree, Content)
    try:
        compile_policy(pipeline, with_content(default_document(pipeline), content))
    except PolicyError as error:
        raise PolicyError(f"{path}: {error}") from None
    return content


def written(found: dict[str, Any]) -> str:
    """What the keeper told, as a file to edit; what is empty is left out."""
    document = found["document"]
    tree = {_VERSION: document["version"]}
    for name in Content.__struct_fields__:
        value = _without_nothing(document[name])
        if value and not (name == "review_margin" and found["review_capacity"]):
            tree[name] = value
    who = " ".join(f"{document['made_at']} {document['made_by']}: {document['why']}".split())
    return f"# {who}\n{as_yaml(tree)}"


def _texts(node: Any) -> Any:
    """YAML takes a time for a value of its own; here it is text."""
    if isinstance(node, dict):
        return {str(key): _texts(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_texts(each) for each in node]
    return node.isoformat() if isinstance(node, date) else node


def _without_nothing(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _without_nothing(value) for key, value in node.items() if value not in (None, "")}
    return [_without_nothing(each) for each in node] if isinstance(node, list) else node
