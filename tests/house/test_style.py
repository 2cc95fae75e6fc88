"""The rules of the house that no other tool checks."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from prometheus_client.metrics import MetricWrapperBase

from crossdock.telemetry import Log, Metrics
from tests.house.source import PACKAGE, TESTS, Module, imported, modules

SOURCES = modules(PACKAGE)
ELSEWHERE = [module for module in SOURCES if module.name != "crossdock.telemetry"]
TEST_MODULES = modules(TESTS)

FORBIDDEN_MODULES = {"util", "utils", "helper", "helpers", "common", "misc"}
FORBIDDEN_NAMES = ("Manager", "Handler", "Service", "Helper", "Factory", "Impl")
PURE = ("crossdock.mapping", "crossdock.destinations")


@pytest.mark.parametrize("module", SOURCES, ids=str)
def test_modules_are_named_for_what_they_hold(module: Module) -> None:
    """No module is a drawer for anything, and no class has a name that says nothing."""
    assert module.path.stem.strip("_") not in FORBIDDEN_MODULES
    classes = [node.name for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)]
    assert [] == [name for name in classes if name.endswith(FORBIDDEN_NAMES)]


@pytest.mark.parametrize("module", SOURCES, ids=str)
def test_exports_are_sorted(module: Module) -> None:
    """An ``__all__`` is sorted and names what the module has."""
    for node in module.tree.body:
        if not isinstance(node, ast.Assign) or "__all__" not in [ast.unparse(t) for t in node.targets]:
            continue
        exported = ast.literal_eval(node.value)
        assert sorted(exported) == exported
        assert set(exported) <= set(_defined(module.tree)), "names it does not have"


@pytest.mark.parametrize("module", [m for m in SOURCES if m.name.startswith(PURE)], ids=str)
def test_mappings_and_vendors_read_no_clock(module: Module) -> None:
    """Mapping and vendor code asks neither clock nor chance: the same event gives the same bytes tomorrow."""
    asked = {
        ast.unparse(node.func)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert set() == asked & {
        "date.today",
        "datetime.datetime.now",
        "datetime.now",
        "datetime.today",
        "datetime.utcnow",
        "uuid.uuid1",
        "uuid.uuid4",
    }
    assert set() == imported(module) & {"random", "secrets", "time"}


@pytest.mark.parametrize("module", SOURCES, ids=str)
def test_only_the_journal_knows_sql(module: Module) -> None:
    """SQLite is the journal's own affair."""
    if not module.name.startswith("crossdock.journal"):
        assert set() == imported(module) & {"sqlite3", "apsw"}


@pytest.mark.parametrize("module", SOURCES, ids=str)
def test_no_todo(module: Module) -> None:
    """Nothing is left for later in a comment."""
    text = module.path.read_text("utf-8")
    assert [] == [word for word in ("TODO", "FIXME", "XXX") if word in text]


@pytest.mark.parametrize("module", TEST_MODULES, ids=str)
def test_every_test_says_what_it_promises(module: Module) -> None:
    """Every test states the promised behaviour in a docstring of one sentence."""
    bad = []
    for test in _tests(module.tree):
        docstring = ast.get_docstring(test)
        if not docstring or "\n\n" in docstring:
            bad.append(f"{test.name}, line {test.lineno}")
    assert [] == bad


@pytest.mark.parametrize("module", TEST_MODULES, ids=str)
def test_no_test_is_left_out_or_waits_blindly(module: Module) -> None:
    """No test is skipped or expected to fail, and none sleeps but between two looks at a condition."""
    calls = {ast.unparse(node) for node in ast.walk(module.tree) if isinstance(node, ast.Attribute)}
    skips = {"pytest.skip", "pytest.xfail", "pytest.mark.skip", "pytest.mark.skipif", "pytest.mark.xfail"}
    assert set() == calls & (skips | {"pytest.importorskip", "unittest.mock"})
    assert set() == calls & {"time.sleep"}
    assert [] == list(_blind_sleeps(module.tree))


def test_every_log_event_is_logged() -> None:
    """No log event is described that nothing logs; the journal names its own by their text."""
    used = {ast.unparse(node) for module in ELSEWHERE for node in ast.walk(module.tree)}
    assert [] == [what.event for what in Log if not {f"Log.{what.name}", repr(what.event)} & used]


def test_every_metric_is_counted() -> None:
    """No metric is described that nothing counts."""
    metrics = {name for name, value in vars(Metrics()).items() if isinstance(value, MetricWrapperBase)}
    counted = {
        node.value.attr
        for module in SOURCES
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute)
        and node.attr in ("inc", "set", "observe", "time", "labels")
        and isinstance(node.value, ast.Attribute)
    }
    assert set() == metrics - counted


def _blind_sleeps(tree: ast.Module) -> Iterator[int]:
    """Find the lines of sleeps outside a loop; ``asyncio.sleep(0)`` only lets others run."""
    loops = [node for node in ast.walk(tree) if isinstance(node, ast.While | ast.For | ast.AsyncFor)]
    looping = {id(node) for loop in loops for node in ast.walk(loop)}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and ast.unparse(node.func) == "asyncio.sleep"
            and ast.unparse(node.args[0]) != "0"
            and id(node) not in looping
        ):
            yield node.lineno


def _tests(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node


def _defined(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.Import() | ast.ImportFrom():
                yield from (alias.asname or alias.name for alias in node.names)
            case ast.Name(ctx=ast.Store()):
                yield node.id
