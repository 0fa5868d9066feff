"""Users in a file of their own, and where the keeper may listen."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from console.cli.app import app
from console.listening import check_host, names_of
from console.passwords import Cost, hashed, matches
from console.users import USERS, Users
from feature_store.declaration.console import ConsoleSpec
from feature_store.errors import ConfigError
from tests.support.payments import private_pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from console.users import UserChange

PASSWORD = "correct horse battery"  # noqa: S105 - lets nobody into anything
CHEAP = Cost(log2_n=4, r=1, p=1)


def test_a_password_is_kept_as_a_salted_hash_alone(tmp_path: Path) -> None:
    users = Users(tmp_path, CHEAP)
    users.add("ann", "analyst", PASSWORD, "bob")
    users.add("eve", "viewer", PASSWORD, "bob")
    kept = (tmp_path / USERS).read_text()
    assert PASSWORD not in kept
    assert users.all()["ann"].password != users.all()["eve"].password
    assert stat.S_IMODE((tmp_path / USERS).stat().st_mode) == 0o600
    assert matches(PASSWORD, users.all()["ann"].password)
    assert not matches(PASSWORD + "x", users.all()["ann"].password)


def test_scrypt_is_scrypt() -> None:
    """The third vector of RFC 7914, section 12."""
    found = Cost(log2_n=14, r=8, p=1).hash("pleaseletmein", b"SodiumChloride")
    assert found.hex().startswith("7023bdcb3afd7348461c06cd81fd38eb")


@pytest.mark.parametrize("password", ["short", "x" * 11, "é" * 600])
def test_a_password_that_is_too_short_or_too_long_is_refused(password: str) -> None:
    with pytest.raises(ConfigError, match="password"):
        hashed(password, CHEAP)


@pytest.mark.parametrize("name", ["", "a b", "-a", "a/b", "x" * 65, "ann (local)", "ann\n"])
def test_a_name_that_could_be_taken_for_another_thing_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="is not a user's name"):
        Users(tmp_path, CHEAP).add(name, "viewer", PASSWORD, "bob")


def test_what_another_process_changes_is_seen_and_noted_once(tmp_path: Path) -> None:
    keeper, command = Users(tmp_path, CHEAP), Users(tmp_path, CHEAP)
    assert keeper.all() == {}
    command.add("ann", "viewer", PASSWORD, "bob")
    before = keeper.find("ann")
    command.set_role("ann", "operator", "bob")
    after = keeper.find("ann")
    assert before is not None
    assert after is not None
    assert before.stamp != after.stamp
    noted: list[UserChange] = []
    keeper.take_unnoted(noted.append)
    keeper.take_unnoted(noted.append)
    assert [(each.what, each.before, each.after) for each in noted] == [
        ("user_add", None, "viewer"),
        ("user_role", "viewer", "operator"),
    ]
    with pytest.raises(ConfigError, match="there is no user 'eve'; known: ann"):
        command.remove("eve", "bob")
    with pytest.raises(ConfigError, match="there is a user 'ann' already"):
        command.add("ann", "viewer", PASSWORD, "bob")


def test_the_commands_add_list_change_and_remove(tmp_path: Path) -> None:
    runner = CliRunner()

    def users(*words: str, given: str = "") -> str:
        found = runner.invoke(app, ["users", *words, "--state-dir", str(tmp_path)], input=given)
        assert found.exit_code == 0, found.output
        return found.output

    assert "nobody yet" in users("list")
    users("add", "ann", "--role", "analyst", given=f"{PASSWORD}\n{PASSWORD}\n")
    users("role", "ann", "operator")
    users("password", "ann", "--password-stdin", given=f"{PASSWORD} new\n")
    assert users("list").split() == ["ann", "operator"]
    assert Users(tmp_path).checked("ann", f"{PASSWORD} new") is not None
    assert Users(tmp_path).checked("ann", PASSWORD) is None
    users("remove", "ann")
    assert "nobody yet" in users("list")


def test_other_machines_are_let_near_only_where_they_can_be_asked_who_they_are(tmp_path: Path) -> None:
    _, pipeline = private_pipeline(tmp_path, "plain")
    for host in ("127.0.0.1", "::1", "localhost"):
        check_host(host, pipeline, tmp_path)
    for host in ("0.0.0.0", "::", "10.0.0.5", "gate.example"):  # noqa: S104 - it is refused
        with pytest.raises(ConfigError, match="sluicegate users add NAME"):
            check_host(host, pipeline, tmp_path)
    proxy = {"from": ["10.0.0.7"], "user_header": "X-User", "default_role": "viewer"}
    _, proxied = private_pipeline(tmp_path, "proxied", console={"hosts": ["gate"], "proxy": proxy})
    check_host("10.0.0.5", proxied, tmp_path)
    Users(tmp_path, CHEAP).add("ann", "viewer", PASSWORD, "bob")
    check_host("10.0.0.5", pipeline, tmp_path)


def test_on_loopback_only_loopbacks_names_are_ours() -> None:
    assert names_of("127.0.0.1", ConsoleSpec()) == frozenset()
    assert names_of("10.0.0.5", ConsoleSpec()) is None
    assert names_of("10.0.0.5", ConsoleSpec(hosts=("Gate.Example",))) == frozenset({"gate.example"})
