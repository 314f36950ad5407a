"""Set-up for all tests: a terminal that is the same everywhere, snapshots in one place, fast first.

The fixtures here give what is shared beside the repository; those for real Nix are in real_nix/.
"""

# ruff: noqa: E402 (the environment comes before the imports)
from __future__ import annotations

import os

# Before Textual is imported: the screens must not depend on who runs the tests. Where the tests
# run in several processes, the snapshots of all meet in a folder that the first one names.
for _name in [name for name in os.environ if name == "NO_COLOR" or name.startswith("TEXTUAL")]:
    if _name != "TEXTUAL_SNAPSHOT_TEMPDIR":
        del os.environ[_name]
os.environ["TEXTUAL_ANIMATIONS"] = "none"

import gc
import signal
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import hypothesis
import pytest
from syrupy.extensions.base import AbstractSyrupyExtension

from tests.support import captures, golden
from tests.support.surroundings import complete, lacking

_SETTINGS = TemporaryDirectory(prefix="pix-tests-")
os.environ["XDG_CONFIG_HOME"] = _SETTINGS.name  # nobody's own settings and declarations
os.environ["XDG_STATE_HOME"] = f"{_SETTINGS.name}/state"  # nor relays of whoever tests beside us

SNAPSHOTS = Path(__file__).resolve().parents[1] / "snapshots"

# Syrupy has no option for this: snapshots/ stands beside src and tests, for people to look at.
setattr(  # noqa: B010 (mypy does not see a plain assignment)
    AbstractSyrupyExtension, "dirname", classmethod(lambda cls, *, test_location: str(SNAPSHOTS))
)

# No test asserts a time, so no example may fail for being slow. Where all has to hold, the same
# examples are tried each time, as Hypothesis does by itself where CI=true: what fails, fails again.
hypothesis.settings.register_profile("pix", deadline=None, derandomize=complete())
hypothesis.settings.register_profile("fuzz", deadline=None, max_examples=20_000)
if os.environ.get("CI") != "true":
    hypothesis.settings.load_profile("pix")


# What a shell's background job or nohup ignores would be ignored by every program that is tested:
# with a handler it does as little here, and what it does by itself in children.
for _number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, lambda *_: None)


def _rank(item: pytest.Item) -> int:
    if item.get_closest_marker("real_nix"):
        return 2
    return 1 if item.get_closest_marker("slow") else 0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # What is slow comes last where somebody waits for the first failure, and first where several
    # processes would wait for the last of them.
    items.sort(key=_rank, reverse="PYTEST_XDIST_WORKER" in os.environ)
    for item in items:
        if item.get_closest_marker("real_nix"):  # one processor for the daemons, one for the rest
            item.add_marker(pytest.mark.xdist_group("real_nix"))


def pytest_collection(session: pytest.Session) -> None:
    # Several processes would each compile every test, at the same time: each begins with a share,
    # and by the time it comes to the others' these are compiled.
    name = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    if not name:
        return
    root, count = session.config.rootpath, int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    folders = [root / each for each in session.config.args]
    tests = sorted(path for folder in folders for path in folder.rglob("test_*.py"))
    for path in tests[int(name) :: count]:
        with suppress(Exception):  # collecting says what is wrong
            import_module(".".join(path.relative_to(root).with_suffix("").parts))


def pytest_collection_finish() -> None:
    # Tests stay until the end, and screen after screen comes and goes: half of a screen's work was
    # to look through all there is for garbage. What is young is looked through as ever, in the
    # processor's cache; all of it after a million objects.
    gc.collect()
    gc.freeze()
    gc.set_threshold(1_000, 20, 50)


@pytest.fixture(scope="session")
def captured_runs() -> tuple[captures.Run, ...]:
    """Every run of the shared captures."""
    try:
        return captures.runs()
    except captures.Missing as why:
        lacking(str(why))


@pytest.fixture(scope="session")
def some_runs(captured_runs: tuple[captures.Run, ...]) -> tuple[captures.Run, ...]:
    """One in seven, each pair of versions and each scenario among them; all with ALL_CAPTURES=1."""
    return captured_runs[:: 1 if os.environ.get("ALL_CAPTURES") == "1" else 7]


@pytest.fixture(scope="session")
def golden_values() -> tuple[golden.Golden, ...]:
    """Every file of the shared golden data."""
    try:
        return golden.files()
    except captures.Missing as why:
        lacking(str(why))
