"""Docs cannot rot: the reference is up to date, commands parse, links and targets exist, examples load."""

from __future__ import annotations

import importlib.util
import re
import shlex
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import typer
import yaml
from typer.exceptions import TyperException
from typer.main import get_command

from console.cli.app import app
from console.soundness import check_soundness
from feature_store.declaration.load import load_pipeline
from feature_store.errors import SluicegateError
from feature_store.log import LogMeta
from streams.kafka import pipeline_topics
from streams.messages import Alert, Decision, Manifest, Outcome, Release
from streams.messages.explanation import Explanation
from streams.monitor.state import MonitorState
from tests.support.certificates import Authority
from tests.support.documented import DOCS, FENCE, PAGES, ROOT, SHELLS, Typed, fences
from tests.support.payments import ENVIRONMENT, pipeline_of, shipped_tree
from tests.support.protobuf import payment_descriptors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

    import msgspec

LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<to>[^)\s]+)\)")
IMAGE = re.compile(r"!\[(?P<told>[^\]]*)\]\((?P<to>[^)\s]+)\)")
INLINE = re.compile(r"`(?P<command>(?:sluicegate|make) [^`\n]+)`")
PLACES = {"FILE": "a.yaml", "VERSION": "v-1", "EVENT_ID": "e-1", "FOLDER": "a"}
SECRETS = {"ORDERS_CONTROL_KEY": "a key for tests"}


def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "scripts" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def command_lines() -> Iterator[tuple[str, str]]:
    """Every command that a reader may copy: shell blocks line by line, and inline code."""
    for path in PAGES:
        name = str(path.relative_to(ROOT))
        lines = [line for _, text in fences(path, *SHELLS) for line in text.splitlines()]
        prose = FENCE.sub("", path.read_text(encoding="utf-8"))
        lines += [found["command"] for found in INLINE.finditer(prose)]
        for line in lines:
            for part in re.split(r"\s(?:&&|\|)\s", line):
                if found := re.search(r"\b(sluicegate|make)\s.*", part):
                    yield name, found[0]


COMMAND: Any = get_command(app)
COMMANDS = sorted({each for each in command_lines() if each[1].startswith("sluicegate ")})
TARGETS = sorted({each for each in command_lines() if each[1].startswith("make ")})
SNIPPETS = [
    (path.relative_to(DOCS).as_posix(), kind, text)
    for path in sorted(DOCS.rglob("*.md"))
    for kind, text in fences(path, "yaml")
]


def test_generated_pages_are_up_to_date() -> None:
    stale = [
        str(path.relative_to(ROOT))
        for path, text in reference().pages().items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    assert not stale, f"{', '.join(stale)}: run `python scripts/reference.py`"


@pytest.mark.parametrize(("where", "line"), COMMANDS, ids=lambda each: each)
def test_commands_parse(where: str, line: str) -> None:
    rest = [PLACES.get(word, word) for word in Typed(where, line).words[1:]]
    command = COMMAND
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        assert rest[0] in command.commands, f"{where}: {line}: there is no command {rest[0]!r}"
        command = command.commands[rest.pop(0)]
    with suppress(typer.Exit):  # --help
        # A command by itself, as prose names it, may lack its arguments.
        command.make_context(command.name, rest, resilient_parsing=not rest)


@pytest.mark.parametrize("line", ["train --shufle", "dlq lst", "tail extra", "models show"])
def test_a_wrong_command_is_noticed(line: str) -> None:
    with pytest.raises((AssertionError, TyperException)):
        test_commands_parse("here", f"sluicegate {line} --json")


@pytest.mark.parametrize(("where", "line"), TARGETS, ids=lambda each: each)
def test_make_targets_exist(where: str, line: str) -> None:
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    wanted = [word for word in shlex.split(line, comments=True)[1:] if "=" not in word]
    assert wanted
    assert set(wanted) <= known, where


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_resolve(path: Path) -> None:
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    for found in LINK.finditer(text):
        target, _, anchor = found["to"].partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        there = (path.parent / target).resolve() if target else path
        assert there.exists(), f"{found['to']}: there is no such file"
        if anchor:
            assert anchor in anchors(there), f"{found['to']}: there is no such heading"


def anchors(path: Path) -> set[str]:
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_page_is_in_the_index() -> None:
    listed = {(DOCS / found["to"]).resolve() for found in LINK.finditer(page("README.md"))}
    pages = {path.resolve() for kind in ("*.md", "*.yaml") for path in DOCS.rglob(kind)}
    assert pages - listed == {(DOCS / "README.md").resolve()}


def test_every_picture_is_shown_somewhere() -> None:
    shown = {
        (path.parent / found["to"]).resolve()
        for path in PAGES
        for found in IMAGE.finditer(path.read_text(encoding="utf-8"))
    }
    assert {path.resolve() for path in (DOCS / "images").iterdir()} == shown


def test_every_picture_says_what_it_shows_and_is_small() -> None:
    for path in PAGES:
        for found in IMAGE.finditer(path.read_text(encoding="utf-8")):
            assert len(found["told"].split()) >= 3, found[0]
    assert {
        path.name: path.stat().st_size
        for path in (DOCS / "images").glob("*.png")
        if path.stat().st_size > 120_000
    } == {}


@pytest.mark.parametrize(("where", "kind", "text"), SNIPPETS, ids=[each[0] for each in SNIPPETS])
def test_yaml_examples_load(
    where: str, kind: str, text: str, tmp_path: Path, files_of_examples: dict[str, str]
) -> None:
    path = tmp_path / "example.yaml"
    if kind == "complete":
        path.write_text(text, encoding="utf-8")
        pipeline = load_pipeline(path, SECRETS)
    else:
        word, _, section = kind.partition("=")
        assert word == "snippet", (
            f"{where}: mark the block `yaml complete`, `yaml snippet` or `yaml snippet=SECTION`"
        )
        tree = with_snippet(yaml.safe_load(text), section)
        path, pipeline = pipeline_of(tree, tmp_path, ENVIRONMENT | files_of_examples)
    check_soundness(pipeline, path)


@pytest.fixture(scope="module")
def files_of_examples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What examples take from the environment: names of files that are there, and a user."""
    folder = tmp_path_factory.mktemp("examples")
    authority = Authority(folder)
    certificate, key = authority.client("scorer")
    return {
        "KAFKA_CA": str(authority.certificate),
        "KAFKA_CERTIFICATE": str(certificate),
        "KAFKA_KEY_FILE": str(key),
        "PAYMENTS_DESCRIPTORS": str(payment_descriptors(folder)),
        "REGISTRY_USER": "nobody",
        "REGISTRY_PASSWORD": "hush",
        "SLUICEGATE_WEBHOOK": "https://alerts.example/hush",
    }


def with_snippet(snippet: dict[str, Any], section: str) -> dict[str, Any]:
    """The shipped pipeline with ``snippet`` in ``section``.

    Lists and the section `event` are added to, all else is replaced.
    """
    tree = shipped_tree()
    place = tree[section] if section else tree
    for key, value in snippet.items():
        if isinstance(value, list):
            place[key] = place.get(key, []) + value
        else:
            place[key] = place[key] | value if key == "event" else value
    if "file" in snippet:  # the example's field names are another pipeline's
        for name in snippet["file"]["columns"]:
            tree["event"]["fields"].setdefault(name, "string")
    return tree


def test_a_wrong_snippet_is_noticed(tmp_path: Path) -> None:
    path, pipeline = pipeline_of(with_snippet({"rows": {"x": "no_such_field"}}, "features"), tmp_path)
    with pytest.raises(SluicegateError, match="no_such_field"):
        check_soundness(pipeline, path)


@pytest.mark.parametrize(
    "struct", [Decision, Explanation, Outcome, Alert, Manifest, Release, LogMeta], ids=lambda s: s.__name__
)
def test_every_field_of_a_message_is_told(struct: type[msgspec.Struct]) -> None:
    text = page("reference/topics-and-messages.md")
    assert [
        name for name in struct.__struct_fields__ if f"`{name}`" not in text and f'"{name}"' not in text
    ] == []


def test_every_topic_is_told(tmp_path: Path) -> None:
    _, pipeline = pipeline_of(shipped_tree(), tmp_path)
    text = page("reference/topics-and-messages.md")
    assert [spec.name for spec in pipeline_topics(pipeline) if f"| `{spec.name}` |" not in text] == []


def test_every_key_of_the_status_is_told(tmp_path: Path) -> None:
    _, pipeline = pipeline_of(shipped_tree(), tmp_path)
    status = MonitorState(pipeline).status()
    text = page("reference/monitor.md")
    keys = {
        *status,
        *status["quality"],
        *status["quality"]["total"],
        *status["latency_ms"]["total"],
        *status["problems"],
    }
    assert {key for key in keys if f"`{key}`" not in text} == set()


def test_every_route_of_the_keeper_is_told() -> None:
    source = (ROOT / "training" / "keeper" / "api.py").read_text(encoding="utf-8")
    routes = set(re.findall(r'"(/[a-z/{}]+)":? ?', source))
    assert len(routes) >= 9
    text = page("reference/keeper-api.md")
    assert {route for route in routes if f" {route}`" not in text} == set()


def test_every_exit_code_is_told() -> None:
    kinds = [SluicegateError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    codes = {kind.exit_code for kind in kinds}
    assert codes >= {1, 2, 3, 4, 5}
    text = page("reference/exit-codes.md")
    assert {code for code in codes if f"\n| {code} |" not in text} == set()


@pytest.mark.parametrize(
    ("pattern", "folders", "told_in"),
    [
        (r'BadEventError\(\s*"(\w+)"', ("feature_store", "streams"), "how-to/look-at-dead-letters.md"),
        (
            r'(?:alert|_alerts\.send|alerts\.send)\(\s*"(\w+)"',
            ("streams", "training"),
            "reference/topics-and-messages.md",
        ),
    ],
)
def test_every_stable_word_is_told(pattern: str, folders: tuple[str, ...], told_in: str) -> None:
    sources = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    words = {word for path in sources for word in re.findall(pattern, path.read_text(encoding="utf-8"))}
    assert len(words) >= 4
    text = page(told_in)
    assert {word for word in words if f"`{word}`" not in text} == set()
