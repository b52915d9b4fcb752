"""The rules of the tree: who may import whom, which folders there are, that every test tests."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("hw", "gen", "sim", "ref")
EXTRAS = ("workloads", "boards", "cluster", "ray")
TOP_LEVEL = {
    *PARTS, "tests", "docs", ".ci", ".gitignore", "Makefile", "pyproject.toml", "constraints.txt",
    "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE",
}  # fmt: skip
CONFIG = "sevedo.gen.config"
ALLOWED_OF_OURS = {
    "hw": ("sevedo.hw", CONFIG),
    "ref": ("sevedo.ref", CONFIG),
    "gen": ("sevedo.gen", "sevedo.hw", "sevedo.ref", "sevedo.sim"),
    "sim": ("sevedo.sim", "sevedo.hw", "sevedo.ref", "sevedo.gen"),
    "gen/config": (CONFIG,),
}
FORBIDDEN_OF_OTHERS = {
    "hw": ("torch", "numpy"),
    "ref": ("amaranth",),
    "gen/config": ("torch", "amaranth", "numpy"),
    "": ("tests", "pytest", "hypothesis", "conftest"),
}


def python_files(*folders: str) -> list[Path]:
    """All Python files below the folders, relative to the root."""
    return sorted(p.relative_to(ROOT) for folder in folders for p in (ROOT / folder).rglob("*.py"))


def imported(source: str, file: str) -> Iterator[tuple[int, str]]:
    """Every (line, dotted name) that a file imports, relative and literal dynamic imports resolved."""
    package = ("sevedo", *Path(file).parent.parts)
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                base = [*package[: len(package) - level + 1]] if level else []
                base += [module] if module else []
                yield from ((node.lineno, ".".join([*base, alias.name])) for alias in names)
            case ast.Call(
                func=ast.Name(id="__import__" | "import_module") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield node.lineno, name


def import_violations(source: str, file: str) -> list[str]:
    """What a production file imports against the rules; `file` is relative to the root."""
    rules = [part for part in (*ALLOWED_OF_OURS, "") if file.startswith(f"{part}/" if part else "")]
    found = []
    for line, name in imported(source, file):
        for rule in rules:
            ours = _within(name, ("sevedo",))
            allowed = ALLOWED_OF_OURS.get(rule, ("sevedo",))
            if (ours and not _within(name, allowed)) or _within(name, FORBIDDEN_OF_OTHERS.get(rule, ())):
                found.append(f"{file}:{line}: {name} must not be imported by {rule or 'production code'}")
        if name.endswith(".*") and not (file.startswith("hw/") and name == "amaranth.hdl.*"):
            found.append(f"{file}:{line}: only hw may import a wildcard, and only amaranth.hdl's")
    return found


def _within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def idle_tests(source: str) -> list[str]:
    """Names of the tests that cannot fail: no `assert` of a non-constant, no `raises`, no check_ or assert_ helper."""
    functions = [
        n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return [f.name for f in functions if _is_test(f) and not any(_asserts(node) for node in ast.walk(f))]


def _is_test(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return function.name.startswith("test") or any(
        ast.unparse(d).startswith("cocotb.test") for d in function.decorator_list
    )


def _asserts(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert):
        return not isinstance(node.test, ast.Constant)
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return re.match(r"_*(assert|check)(_|$)|raises$", name) is not None


def test_import_rules() -> None:
    files = python_files(*PARTS)
    found = [v for f in files for v in import_violations((ROOT / f).read_text(), f.as_posix())]
    assert files
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("hw/rmc/pe.py", "import torch"),
        ("hw/rmc/pe.py", "def f():\n    from torch import nn"),
        ("hw/rmc/pe.py", "from sevedo.ref import quantize"),
        ("hw/rmc/pe.py", "from sevedo import ref"),
        ("hw/rmc/pe.py", "from sevedo.gen.verilog import emit"),
        ("hw/rmc/pe.py", "from ...gen import verilog"),
        ("hw/rmc/pe.py", "from amaranth.lib.wiring import *"),
        ("ref/quantize.py", "import amaranth.hdl"),
        ("ref/quantize.py", "from sevedo.hw.float import Round"),
        ("ref/quantize.py", "importlib.import_module('amaranth')"),
        ("gen/config/formats.py", "from sevedo.gen.verilog import emit"),
        ("gen/config/formats.py", "import torch"),
        ("gen/cli.py", "from tests.helpers import x"),
        ("gen/cli.py", "from amaranth.hdl import *"),
        ("sim/runner.py", "import pytest"),
    ],
)
def test_import_violation_is_caught(file: str, source: str) -> None:
    assert len(import_violations(source, file)) >= 1


@pytest.mark.parametrize(
    ("file", "source"),
    [
        (
            "hw/rmc/pe.py",
            "from amaranth.hdl import *\nfrom ..float import Round\nfrom sevedo.gen.config import FP16",
        ),
        ("ref/quantize.py", "import torch\nfrom sevedo.gen import config\nfrom .rounding import x"),
        (
            "gen/cli.py",
            "import torch, amaranth\nfrom sevedo.hw.core import Core\nfrom sevedo.ref import linear",
        ),
    ],
)
def test_import_rules_allow(file: str, source: str) -> None:
    assert import_violations(source, file) == []


def test_third_party_imports_are_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    declared = [*project["dependencies"], *(line for name in EXTRAS for line in extras[name])]
    names = {re.split(r"[^\w.-]", line)[0].lower().replace("_", "-") for line in declared}
    providers = metadata.packages_distributions()
    undeclared = {
        f"{file}: {name}"
        for file in python_files(*PARTS)
        for _, name in imported((ROOT / file).read_text(), file.as_posix())
        if (top := name.partition(".")[0]) not in sys.stdlib_module_names and top not in {"sevedo", *names}
        and not names & {provider.lower().replace("_", "-") for provider in providers.get(top, [])}
    }  # fmt: skip
    assert not undeclared


def test_every_package_is_installed() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {f.parent.as_posix().replace("/", ".") for f in python_files(*PARTS)}
    assert {f"sevedo.{folder}" for folder in folders} == set(listed)


def test_top_level_is_fixed() -> None:
    produced = [line.rstrip("/") for line in (ROOT / ".gitignore").read_text().split()] + [".git"]
    found = {p.name for p in ROOT.iterdir() if not any(fnmatch(p.name, pattern) for pattern in produced)}
    assert found == TOP_LEVEL


def test_every_test_asserts() -> None:
    files = python_files("tests", "sim/benches")
    idle = [f"{f}: {name}" for f in files for name in idle_tests((ROOT / f).read_text())]
    assert files
    assert not idle, "\n".join(idle)


@pytest.mark.parametrize(
    ("source", "caught"),
    [
        ("def test_a():\n    run()", True),
        ("def test_a():\n    assert True", True),
        ("class TestA:\n    def test_a(self):\n        print(1)", True),
        ("@cocotb.test()\nasync def layer(dut):\n    await run(dut)", True),
        ("def test_a():\n    assert run() == 3", False),
        ("def test_a():\n    with pytest.raises(ValueError):\n        run()", False),
        ("def test_a():\n    np.testing.assert_array_equal(a, b)", False),
        ("def test_a():\n    check_stream(run())", False),
        ("def helper():\n    run()", False),
    ],
)
def test_idle_test_is_caught(source: str, caught: bool) -> None:
    assert bool(idle_tests(source)) == caught


def test_every_file_says_what_it_is() -> None:
    files = python_files(*PARTS, "tests")
    silent = [f.as_posix() for f in files if not ast.get_docstring(ast.parse((ROOT / f).read_text()))]
    assert not silent


def test_test_files_have_distinct_names() -> None:
    names = [f.name for f in python_files("tests") if f.name != "conftest.py"]
    assert sorted(names) == sorted(set(names))


def test_links_in_the_documentation_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#\s]+)", page.read_text())]
    local = [(page, link) for page, link in links if not re.match(r"https?:|mailto:", link)]
    assert len(local) >= 5
    assert not [f"{page.name}: {link}" for page, link in local if not (page.parent / link).exists()]
