"""What the README says works: its Python is executed, its commands are parsed by the command line itself."""

import re
import shlex
from pathlib import Path

import pytest

import run

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.S)
COMMANDS = [line for block in re.findall(r"```bash\n(.*?)```", README, re.S) for line in block.splitlines() if line]


@pytest.mark.parametrize("code", PYTHON)
def test_python_blocks_run(code, monkeypatch, capsys):
    # a reader's session has jax's own settings, not the strict ones of these tests
    import jax

    monkeypatch.setattr("sys.argv", ["readme"])
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    assert capsys.readouterr().out.strip()


def test_the_judged_example_holds(capsys):
    exec(compile(PYTHON[-1], "README.md", "exec"), {"__name__": "readme"})
    assert capsys.readouterr().out.split()[-1] == "holds"


@pytest.mark.parametrize("command", [line for line in COMMANDS if "run.py" in line])
def test_commands_are_understood(command, monkeypatch):
    seen = []
    monkeypatch.setattr(run, "_run", lambda requests: seen.extend(requests) or 0)
    words = shlex.split(command.split("&&")[-1], comments=True)
    assert words[:2] == ["python", "run.py"] and run.main(words[2:]) == 0
    assert seen or "--list" in words


def test_the_continuous_run_uses_the_readmes_commands():
    ci = (Path(__file__).parents[1] / ".ci" / "run").read_text(encoding="utf-8")
    install, tests = next(line for line in COMMANDS if "pytest" in line).split("&&")[-2:]
    for words in (install, tests):
        assert words.strip().split()[-1].strip("'") in ci


def test_every_experiment_has_its_row():
    for path in (Path(__file__).parents[1] / "simulations").glob("[a-z]*.py"):
        assert f"`{path.stem}`" in README
