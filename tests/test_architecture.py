"""Rooms know only the rooms to their left; nothing private, nothing pickled; what need not be loaded is not."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(p for folder in ("theorylab", "simulations", "figures") for p in (ROOT / folder).rglob("*.py"))
JAX = {"jax", "jaxtyping", "numpy", "functools", "typing", "collections", "math", "inspect", "difflib", "itertools"}
SOLVERS = {"optimistix", "lineax", "equinox"}

# folder -> (top-level packages, rooms of theorylab) that its modules may import
ALLOWED = {
    "theorylab/numerics": (JAX | SOLVERS | {"scipy"}, {"numerics", "types"}),
    "theorylab/problems": (JAX | {"scipy", "sklearn", "gzip", "io", "os", "pathlib", "struct", "zipfile", "urllib"},
                           {"numerics", "problems", "types", "errors"}),
    "theorylab/theory": (JAX | SOLVERS, {"numerics", "problems", "theory", "types"}),
    "theorylab/simulators": (JAX | SOLVERS | {"flax", "optax"}, {"numerics", "problems", "simulators", "types"}),
    "theorylab/compare": (None, {"compare", "sweep", "errors"}),
    "theorylab/plotting": (None, {"plotting", "sweep"}),
    "simulations": ({"theorylab", "math", "typing", "__future__"}, None),
    "figures": ({"theorylab", "math", "typing", "__future__"}, {"plotting"}),
}  # fmt: skip


def imports(path: Path, top_level_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else ast.walk(tree)
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("folder", ALLOWED)
def test_a_room_imports_only_what_lies_to_its_left(folder):
    packages, rooms = ALLOWED[folder]
    for path in SOURCES:
        if not path.is_relative_to(ROOT / folder) or path == ROOT / folder / "__init__.py":
            continue
        for name in imports(path, top_level_only=folder == "simulations"):
            top, *rest = name.split(".")
            if top == "theorylab":
                assert rooms is None or rest[0] in rooms, f"{path.relative_to(ROOT)} imports {name}"
            else:
                assert packages is None or top in packages, f"{path.relative_to(ROOT)} imports {name}"


def test_a_simulator_never_imports_theory():
    for path in SOURCES:
        if path.is_relative_to(ROOT / "theorylab" / "simulators"):
            assert not any(name.startswith("theorylab.theory") for name in imports(path)), path


@pytest.mark.parametrize("module", ["theorylab/sweep/spec.py", "theorylab/compare/claims.py"])
def test_sweeps_and_claims_import_neither_jax_nor_numpy(module):
    assert not {name.split(".")[0] for name in imports(ROOT / module)} & {"jax", "numpy", "xarray", "scipy"}


def test_nothing_private_of_jax_and_no_pickle():
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        for word in ("jax._src", "jax.core", "jaxlib", "import pickle", "allow_pickle=True"):
            assert word not in text.replace('"jaxlib"', ""), f"{path.relative_to(ROOT)} has {word}"


def loaded_by(code: str) -> set[str]:
    script = f"{code}\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("code", [
    "import theorylab",
    "import run; run.main(['--list'])",
    "import run; run.main(['--help'])",
    "import run; assert run.main(['--sym=all']) == 2",
    "import run; assert run.main(['--sim=kernel_colapse']) == 2",
    "import run; assert run.main(['--sim=ridge_collapse', '--config.risk.sgima=1']) == 2",
])  # fmt: skip
def test_light_commands_load_neither_jax_nor_numpy(code):
    assert not loaded_by(code) & {"jax", "numpy", "xarray", "scipy", "matplotlib"}


def test_theory_loads_no_training_plotting_or_result_library():
    loaded = loaded_by("import theorylab; dir(theorylab.theory)")
    assert not loaded & {"flax", "optax", "xarray", "matplotlib", "sklearn"}


def test_every_experiment_is_complete():
    for path in (ROOT / "simulations").glob("[a-z]*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert ast.get_docstring(tree), path
        assert (ROOT / "figures" / path.name).exists(), f"{path.stem} has no figures"
        assert not any(isinstance(node, (ast.For, ast.While)) for node in ast.walk(tree)), f"{path.stem} has a loop"
