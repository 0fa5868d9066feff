from __future__ import annotations

from typing import TYPE_CHECKING

from training.code_version import PACKAGES, ROOT, code_version, commit_of, digest_of

if TYPE_CHECKING:
    from pathlib import Path


def test_the_commit_is_read_where_there_is_a_repository(tmp_path: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    assert commit_of(tmp_path / "none") is None
    (tmp_path / ".git/refs/heads").mkdir(parents=True)
    (tmp_path / ".git/HEAD").write_text("ref: refs/heads/main\n", encoding="ascii")
    (tmp_path / ".git/refs/heads/main").write_text(f"{commit}\n", encoding="ascii")
    assert commit_of(tmp_path) == commit
    packed = tmp_path / "packed"
    (packed / ".git").mkdir(parents=True)
    (packed / ".git/HEAD").write_text("ref: refs/heads/main\n", encoding="ascii")
    (packed / ".git/packed-refs").write_text(f"# pack-refs\n{commit} refs/heads/main\n", encoding="ascii")
    assert commit_of(packed) == commit


def test_every_change_of_what_makes_models_shows(tmp_path: Path) -> None:
    for name in PACKAGES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.py").write_text("a = 1\n", encoding="ascii")
    (tmp_path / "console").mkdir()
    seen = {digest_of(tmp_path)}
    (tmp_path / "console" / "page.py").write_text("", encoding="ascii")
    assert digest_of(tmp_path) in seen, "what only shows models is no part of it"
    for change in ("training/a.py", "streams/deep/b.py", "feature_store/c.sql"):
        (tmp_path / change).parent.mkdir(exist_ok=True)
        (tmp_path / change).write_text("select 1\n", encoding="ascii")
        seen.add(digest_of(tmp_path))
    (tmp_path / "streams/deep/b.py").rename(tmp_path / "streams/deep/d.py")
    seen.add(digest_of(tmp_path))
    assert len(seen) == 5


def test_what_runs_here_is_named() -> None:
    found = code_version()
    assert found.package.startswith("sluicegate 0.")
    assert found.files == digest_of(ROOT)
