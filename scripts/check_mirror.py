"""Whether `tests/` mirrors `src/`: each module has its test file, each test file its module.

And whether each package's `__init__.py` names its modules, so that it can be found there what is
where, and in parentheses nothing that is not there; `commands` need not, whose modules are named
as they are.

Exceptions stand in `tests/mirror.toml`: `[elsewhere]` says which test file covers a module that
has none of its own name, `[across]` why a test file belongs to no single module. An exception
that is no longer one is a mistake too. Prints each mistake; ends with status 1 if there is one.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MIRRORED = ("pix", "pix_store", "pix_inspect")


def test_of(module: Path) -> Path:
    """Return where the tests of a module lie, both relative to their trees."""
    return module.with_name(f"test_{module.name.lstrip('_')}")


def misnamed(package: Path) -> Iterator[str]:
    """Yield the modules of a package that its docstring does not name, and those it invents."""
    said = ast.get_docstring(ast.parse((package / "__init__.py").read_text())) or ""
    words = {*re.findall(r"\w+", said), "__init__", "__main__"}
    modules = {path.stem for path in package.glob("*.py")}
    for name in sorted(modules - words):
        yield f"does not name {name}"
    packages = {path.parent.name for path in package.glob("*/__init__.py")}
    listed = re.findall(r"\s\((\w+(?:,\s+\w+)*)\)", said)
    for name in sorted({name for names in listed for name in re.findall(r"\w+", names)}):
        if name not in modules | packages:
            yield f"names {name}, which is not there"


def mistakes(root: Path) -> Iterator[str]:
    """Yield what does not mirror, one line each."""
    exceptions = tomllib.loads((root / "tests" / "mirror.toml").read_text())
    elsewhere: dict[str, str] = exceptions["elsewhere"]
    across: dict[str, str] = exceptions["across"]
    modules = {
        path.relative_to(root / "src")
        for package in MIRRORED
        for path in (root / "src" / package).rglob("*.py")
        if path.name not in ("__init__.py", "__main__.py")
    }
    tests = {
        path.relative_to(root / "tests")
        for package in MIRRORED
        for path in (root / "tests" / package).rglob("test_*.py")
    }
    expected = {test_of(module): module for module in modules}
    for module in sorted(modules):
        name, own = str(module), test_of(module)
        if own in tests and name in elsewhere:
            yield f"tests/mirror.toml: {name} has tests/{own}: no exception is needed"
        elif own not in tests and name not in elsewhere:
            yield f"src/{name} has no tests/{own}; write it, or name where it is tested"
    for name, place in elsewhere.items():
        if Path(name) not in modules:
            yield f"tests/mirror.toml: there is no src/{name}"
        if not (root / "tests" / place).is_file():
            yield f"tests/mirror.toml: {name}: there is no tests/{place}"
    for test in sorted(tests):
        if test not in expected and str(test) not in across:
            yield f"tests/{test} belongs to no module; rename it, or say why it is there"
    for package in sorted({path.parent for path in (root / "src").rglob("__init__.py")}):
        if package.name != "commands":
            for mistake in misnamed(package):
                yield f"{package.relative_to(root)}/__init__.py {mistake}"
    for name in across:
        if Path(name) not in tests or Path(name) in expected:
            yield f"tests/mirror.toml: tests/{name} is not an exception"


if __name__ == "__main__":
    found = list(mistakes(ROOT))
    print("\n".join(found) or "tests mirror src, and packages name their modules")
    sys.exit(bool(found))
