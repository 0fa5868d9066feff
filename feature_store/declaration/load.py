"""Reading a pipeline file: YAML in, a checked Pipeline out, or an error that names the key and the cure."""

from __future__ import annotations

import difflib
import json
import os
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

from feature_store.declaration.base import SECRET
from feature_store.declaration.clients import CLIENT_SECTIONS, written_secrets
from feature_store.declaration.pipeline import Pipeline
from feature_store.declaration.yaml_file import read_tree
from feature_store.errors import ConfigError
from feature_store.units import Duration, format_duration

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pydantic_core import ErrorDetails

_EXPECTED = {
    "tuple_type": "expected a list, for example [1h, 24h]",
    "dict_type": "expected a mapping, for example {name: value}",
    "string_type": "expected text; YAML takes digits, yes, no, on and off for values: write it in quotes",
    "bool_parsing": "expected true or false",
    "bool_type": "expected true or false",
}
"""What pydantic says in the words of Python, in those of YAML."""


def load_pipeline(path: Path, environment: Mapping[str, str] = os.environ) -> Pipeline:
    """The pipeline in ``path``.

    ``${NAME}`` in a value is replaced from ``environment``. Raises ConfigError, one line per finding.
    """
    tree = read_tree(path, "pipeline: NAME")
    if written := [*written_secrets(tree)]:
        raise ConfigError("\n".join(f"{path}: {finding}" for finding in written))
    secrets = _Secrets(environment)
    tree = secrets.put_into(tree)
    if secrets.missing:
        names = ", ".join(sorted(secrets.missing))
        raise ConfigError(f"{path}: set these environment variables first: {names}")
    try:
        return Pipeline.model_validate(tree)
    except ValidationError as error:
        findings = "\n".join(f"{path}: {_finding(detail, secrets.values)}" for detail in error.errors())
        raise ConfigError(findings) from None


def own_secrets(path: Path) -> set[str]:
    """The names that ``path`` takes from the environment, but for what clients of other systems need."""
    try:
        tree = read_tree(path, "pipeline: NAME")
    except ConfigError:  # told by who loads it
        return set()
    found = _Secrets({})
    found.put_into({key: value for key, value in tree.items() if key not in CLIENT_SECTIONS})
    return found.missing


def pipeline_schema() -> dict[str, Any]:
    """JSON Schema of the pipeline file, for editors."""
    schema = Pipeline.model_json_schema()
    _write_durations(schema, TypeAdapter(Duration).json_schema()["pattern"])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _write_durations(node: Any, pattern: str) -> None:
    """Write defaults that are durations, known by their ``pattern``, as people do."""
    if isinstance(node, list):
        for each in node:
            _write_durations(each, pattern)
    if isinstance(node, dict):
        if node.get("pattern") == pattern and isinstance(node.get("default"), int):
            node["default"] = format_duration(node["default"])
        _write_durations(list(node.values()), pattern)


class _Secrets:
    """Values from the environment, put where ``${NAME}`` stands."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.missing: set[str] = set()
        self.values: set[str] = set()
        """What came of it: not to be shown."""

    def put_into(self, node: Any) -> Any:
        if isinstance(node, dict):
            return {key: self.put_into(value) for key, value in node.items()}
        if isinstance(node, list):
            return [self.put_into(value) for value in node]
        if not isinstance(node, str) or not SECRET.search(node):
            return node
        self.missing.update(name for name in SECRET.findall(node) if name not in self._environment)
        value = SECRET.sub(lambda found: self._environment.get(found[1], ""), node)
        self.values.add(value)
        return value


def _finding(detail: ErrorDetails, secrets: set[str]) -> str:
    location = detail["loc"]
    if location and location[-1] == "[key]":
        if isinstance(detail["input"], str):
            return f"{'.'.join(map(str, location[:-2]))}: {detail['msg'].removeprefix('Value error, ')}"
        return (
            f"{'.'.join(map(str, location[:-2]))}: the key {json.dumps(detail['input'], default=str)} is not "
            "text; YAML takes no, yes, on, off and digits for values: write such a key in quotes"
        )
    where = ".".join(str(part) for part in location)
    if detail["type"] == "extra_forbidden":
        return f"{where}: unknown key{_did_you_mean(location)}"
    if detail["type"] == "missing":
        return f"{where}: missing; this key is required"
    message = _EXPECTED.get(detail["type"]) or detail["msg"].removeprefix("Value error, ")
    if not where:  # the file as a whole: the message begins with the key
        return message
    found = detail["input"]
    if isinstance(found, dict | list | BaseModel) or found in secrets:
        return f"{where}: {message}"
    return f"{where}: {message} (found {json.dumps(found, default=str)})"


def _did_you_mean(location: tuple[int | str, ...]) -> str:
    model: Any = Pipeline
    for part in location[:-1]:
        fields = getattr(model, "model_fields", {})
        model = fields[part].annotation if part in fields else _member(model)
    known = list(getattr(model, "model_fields", {}))
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known here: {', '.join(known)}" if known else ""


def _member(kind: Any) -> Any:
    """What the values of a declared list or mapping are; None for anything else."""
    inner = [each for each in get_args(kind) if each is not Ellipsis]
    member = inner[-1] if inner else None
    return get_args(member)[0] if get_origin(member) is Annotated else member
