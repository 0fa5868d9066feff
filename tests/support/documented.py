"""The commands that README and docs tell readers to type, read from their pages."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md"])
FENCE = re.compile(r"^```(?P<kind>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
SHELLS = ("sh", "console")
GENERATED = "commands.md"


@dataclass(frozen=True)
class Typed:
    """One command of a page, as its reader types it."""

    page: str
    text: str
    body: str = ""
    """What a here-document feeds it."""

    @property
    def words(self) -> list[str]:
        """The command's words, without comment and redirection."""
        words = shlex.split(self.text, comments=True)
        return words[: words.index(">")] if ">" in words else words

    @property
    def output(self) -> str | None:
        """The file that its output goes to."""
        words = shlex.split(self.text, comments=True)
        return words[words.index(">") + 1] if ">" in words else None


def fences(path: Path, *kinds: str) -> list[tuple[str, str]]:
    """The fenced blocks of ``kinds``, each with what follows the kind on its first line."""
    return [
        (words[1] if len(words) > 1 else "", each["text"])
        for each in FENCE.finditer(path.read_text(encoding="utf-8"))
        if (words := each["kind"].split(maxsplit=1)) and words[0] in kinds
    ]


def typed_commands() -> Iterator[Typed]:
    """Every command in a shell block, in the order of its page."""
    for path in PAGES:
        for _, block in fences(path, *SHELLS):
            yield from commands_in(block, path.relative_to(ROOT).as_posix())


def commands_in(block: str, page: str) -> Iterator[Typed]:
    """The commands of one block: prompts dropped, continued lines joined, here-documents kept whole."""
    lines = iter(block.replace("\\\n", " ").splitlines())
    for line in lines:
        text = line.removeprefix("$ ").strip()
        if not text or text.startswith("#"):
            continue
        body: list[str] = []
        if marked := re.search(r"<<\s*'?(\w+)'?", text):
            for inner in lines:
                if inner.strip() == marked[1]:
                    break
                body.append(inner)
            text = text[: marked.start()].strip()
        yield Typed(page, text, "\n".join(body))
