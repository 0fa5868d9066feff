"""Write the part of the reference that the code knows best: `python scripts/reference.py`.

docs/reference/pipeline-file.md from the models of the declaration, docs/reference/commands.md from the help
of every command, asyncapi.yaml from the structs that are sent and the shipped pipeline's topics, the
tables of docs/reference/metrics.md from the definitions. A test holds them to the code.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from typer.main import get_command
from typer.testing import CliRunner

from console.cli.app import app
from feature_store.declaration.load import load_pipeline, pipeline_schema
from streams.asyncapi import asyncapi
from streams.metrics import definitions

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"
NOTE = "<!-- Written by scripts/reference.py; edit the code, then run it again. -->"
INTRODUCTION = """\
One YAML file declares a pipeline. Unknown keys are refused. `${NAME}` in a value is taken from the
environment; a `${..._KEY}` that is not set there is drawn once and kept in the state folder.
`sluicegate check FILE` checks a file, `sluicegate schema` prints its JSON Schema for editors.
Durations are written `500ms`, `30s`, `15m`, `24h`, `7d`, `2w` or `1h30m`."""
WIDTH = 100

Schema = dict[str, Any]


def pages() -> dict[Path, str]:
    """Every generated page and what it should hold."""
    return {
        REFERENCE / "pipeline-file.md": pipeline_page(pipeline_schema()),
        REFERENCE / "commands.md": commands_page(),
        REFERENCE / "asyncapi.yaml": asyncapi_page(),
        REFERENCE / "metrics.md": metrics_page((REFERENCE / "metrics.md").read_text(encoding="utf-8")),
    }


def pipeline_page(schema: Schema) -> str:
    """The pipeline file, a table per section."""
    kinds = schema["$defs"]
    parts = [
        "# The pipeline file",
        NOTE,
        INTRODUCTION,
        _table(schema, kinds, ""),
    ]
    parts += [
        f"## `{path}`\n\n{_table(kinds[name], kinds, path)}" for path, name in _sections(schema, kinds, "")
    ]
    return "\n\n".join(parts) + "\n"


def metrics_page(page: str) -> str:
    """``page`` with its tables anew: each stands between ``<!-- metrics: NAME -->`` and ``<!-- end -->``."""
    return re.sub(
        r"(?<=<!-- metrics: )(\w+) -->.*?(?=<!-- end -->)",
        lambda found: f"{found[1]} -->\n\n{_metrics(getattr(definitions, found[1]))}\n\n",
        page,
        flags=re.DOTALL,
    )


def _metrics(of: tuple[definitions.Definition, ...]) -> str:
    rows = [
        f"| `{each.name}` | {each.kind.value} | {', '.join(f'`{label}`' for label in each.labels)} "
        f"| {each.meaning} |"
        for each in of
    ]
    return "\n".join(["| metric | kind | labels | meaning |", "|---|---|---|---|", *rows])


def _sections(schema: Schema, kinds: Schema, path: str) -> Iterator[tuple[str, str]]:
    """Every section below ``schema``: its place in the file and the name of its model."""
    for key, found in schema["properties"].items():
        name, suffix = _model(found, kinds)
        if name:
            place = f"{path}.{key}".lstrip(".") + suffix
            yield place, name
            yield from _sections(kinds[name], kinds, place)


def _model(found: Schema, kinds: Schema) -> tuple[str | None, str]:
    """The model that a key holds, and how its place is written: itself, a list or a mapping of it."""
    for shape, suffix in (
        (found, ""),
        (found.get("items"), "[]"),
        (found.get("additionalProperties"), ".NAME"),
    ):
        if isinstance(shape, dict):
            for each in shape.get("anyOf", [shape]):
                name = each.get("$ref", "").rpartition("/")[2]
                if "properties" in kinds.get(name, {}):
                    return name, suffix
    return None, ""


def _table(schema: Schema, kinds: Schema, path: str) -> str:
    lines = [schema["description"]] if path and "description" in schema else []
    lines += ["", "| key | is | default | meaning |", "|---|---|---|---|"]
    required = schema.get("required", ())
    for key, found in schema["properties"].items():
        default = "required" if key in required else _default(found, kinds)
        meaning = _meaning(found, kinds)
        lines.append(f"| `{key}` | {_kind(found, kinds)} | {default} | {meaning} |")
    return "\n".join(lines).strip()


def _default(found: Schema, kinds: Schema) -> str:
    default = found.get("default")
    if _model(found, kinds)[0] or default in (None, "", {}, []):
        return ""
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"


def _meaning(found: Schema, kinds: Schema) -> str:
    words = found.get("description", "")
    name, _ = _model(found, kinds)
    return (words or (kinds[name]["description"] if name else "")).replace("|", "\\|").replace("\n", " ")


def _kind(found: Schema, kinds: Schema) -> str:
    """What may stand there, in few words."""
    if "anyOf" in found:
        told = [_kind(each, kinds) for each in found["anyOf"] if each.get("type") != "null"]
        return " or ".join(dict.fromkeys(told))
    if "$ref" in found:
        name = found["$ref"].rpartition("/")[2]
        return "section" if "properties" in kinds[name] else _kind(kinds[name], kinds)
    if "const" in found or "enum" in found:
        return ", ".join(f"`{each}`" for each in found.get("enum", [found.get("const")]))
    if found.get("type") == "array":
        return _list_kind(found, kinds)
    if found.get("type") == "object":
        inner = found.get("additionalProperties")
        return f"name: {_kind(inner, kinds)}" if isinstance(inner, dict) else "mapping"
    if str(found.get("pattern", "")).startswith(r"^(\d+\s*(ms"):
        return "duration"
    if str(found.get("pattern", "")).startswith("^(string|"):
        return "type"
    return str(found["type"]) + _limits(found)


def _list_kind(found: Schema, kinds: Schema) -> str:
    if "prefixItems" in found:
        return f"[{', '.join(_kind(each, kinds) for each in found['prefixItems'])}]"
    return f"list of {_kind(found['items'], kinds)}"


def _limits(found: Schema) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    told = [f"{sign} {found[name]:g}" for name, sign in signs.items() if name in found]
    return f" {', '.join(told)}" if told else ""


def commands_page() -> str:
    """Every command's help, as it is shown."""
    parts = ["# Commands", NOTE]
    for path in _leaves(get_command(app), ()):
        shown = CliRunner().invoke(
            app,
            [*path, "--help"],
            prog_name="sluicegate",
            terminal_width=WIDTH,
            max_content_width=WIDTH,
        )
        text = "\n".join(line.rstrip() for line in shown.output.strip().splitlines())
        parts.append(f"## `{' '.join(('sluicegate', *path))}`\n\n```text\n{text}\n```")
    return "\n\n".join(parts) + "\n"


def _leaves(command: object, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    inner: dict[str, object] = getattr(command, "commands", {})
    if not inner:
        yield path
    for name, each in inner.items():
        yield from _leaves(each, (*path, name))


def asyncapi_page() -> str:
    """Topics and messages of the shipped pipeline."""
    pipeline = load_pipeline(ROOT / "config" / "payments.yaml", {"SLUICEGATE_CONTROL_KEY": "unused"})
    plain = json.loads(json.dumps(asyncapi(pipeline)))  # nothing shared, so no anchors
    document = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=WIDTH)
    return f"# Written by scripts/reference.py; of another pipeline: sluicegate schema --asyncapi\n{document}"


def main() -> int:
    """Write what changed; with `--check` only say so (exit code 1)."""
    stale = [path for path, text in pages().items() if not path.exists() or path.read_text("utf-8") != text]
    for path in stale:
        print(f"{path.relative_to(ROOT)} is not up to date")
        if "--check" not in sys.argv[1:]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(pages()[path], encoding="utf-8")
            print("  written")
    return 1 if stale and "--check" in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())
