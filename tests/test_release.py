"""scripts/release.py: what it refuses, what it changes, and that a failure leaves all as it was."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from scripts import release

CHANGES = """\
# Changelog

## Unreleased

### Added

- Something.

## 0.1.0 - 2025-01-01

- The first.
"""


def test_what_is_unreleased_becomes_a_version() -> None:
    text, notes = release.dated(CHANGES, "0.2.0", "2026-12-01")
    assert text.startswith(
        "# Changelog\n\n## Unreleased\n\n## 0.2.0 - 2026-12-01\n\n### Added\n\n- Something.\n"
    )
    assert text.endswith("\n## 0.1.0 - 2025-01-01\n\n- The first.\n")
    assert notes == "### Added\n\n- Something."
    with pytest.raises(release.Refusal, match="nothing below ## Unreleased"):
        release.dated(text, "0.3.0", "2026-12-02")


def test_the_changelog_is_in_the_form_that_a_release_needs() -> None:
    text, _ = release.dated(release.CHANGELOG.read_text(), "99.0.0", "2026-12-01")
    assert text.count("\n## 99.0.0 - 2026-12-01\n") == 1


@pytest.mark.parametrize(
    ("version", "than", "is_newer"),
    [
        ("0.2.0", "0.1.0", True), ("0.10.0", "0.9.1", True), ("0.1.0", "0.1.0", False),
        ("0.0.9", "0.1.0", False), ("0.2", "0.1.0", False), ("v0.2.0", "0.1.0", False),
        ("0.02.0", "0.1.0", False),
    ],
)  # fmt: skip
def test_versions_go_up(version: str, than: str, is_newer: bool) -> None:
    assert release.newer(version, than) is is_newer


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "CHANGELOG.md").write_text(CHANGES)
    (tmp_path / "init.py").write_text('__version__ = "0.1.0"\n')
    (tmp_path / "pyproject.toml").write_text(
        '[project]\n[project.urls]\nRepository = "https://x"\n'
    )
    monkeypatch.setattr(release, "ROOT", tmp_path)
    monkeypatch.setattr(release, "VERSION", tmp_path / "init.py")
    monkeypatch.setattr(release, "CHANGELOG", tmp_path / "CHANGELOG.md")
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "me")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "me@example.org")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "all")
    return tmp_path


def git(folder: Path, *words: str) -> str:
    return subprocess.run(
        ["git", "-C", str(folder), *words], check=True, capture_output=True, text=True
    ).stdout


def test_a_release_is_a_commit_and_a_tag(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []
    monkeypatch.setattr(release, "check", lambda dist, version: checked.append(release.current()))
    assert release.main(["0.2.0"]) == 0
    assert checked == ["0.2.0"], "it is built with its version"
    assert git(checkout, "status", "--porcelain") == ""
    assert git(checkout, "tag", "--points-at", "HEAD") == "v0.2.0\n"
    assert "- Something." in git(checkout, "tag", "-n9", "--list", "v0.2.0")
    assert "\n## 0.2.0 - " in (checkout / "CHANGELOG.md").read_text()


def test_what_cannot_be_checked_leaves_all_as_it_was(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(dist: Path, version: str) -> None:
        raise release.Refusal("the wheel lacks a wheel")

    monkeypatch.setattr(release, "check", refuse)
    assert release.main(["0.2.0"]) == 2
    assert capsys.readouterr().err == "release: the wheel lacks a wheel\n"
    assert git(checkout, "status", "--porcelain") == ""
    assert git(checkout, "tag") == ""


def test_what_is_refused(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refused(version: str) -> str:
        assert release.main([version]) == 2
        return capsys.readouterr().err

    assert "is not a version after 0.1.0" in refused("0.1.0")
    git(checkout, "tag", "v0.2.0")
    assert "the tag v0.2.0 is there already" in refused("0.2.0")
    assert release.main(["--check"]) == 2
    assert "the sources are 0.1.0, their tag v0.2.0" in capsys.readouterr().err
    (checkout / "pyproject.toml").write_text("[project]\n")
    assert "the checkout is not clean" in refused("0.3.0")
    git(checkout, "commit", "--quiet", "--all", "--message", "no address")
    assert "no Repository in [project.urls]" in refused("0.3.0")
