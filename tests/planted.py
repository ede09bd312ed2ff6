"""Small sweeps of an experiment, and results beside another theory: what tests of planted faults share."""

from dataclasses import replace

from ml_collections import ConfigDict

from theorylab.sweep.assemble import theory_datasets
from theorylab.sweep.execute import run_sweep
from theorylab.sweep.plan import Plan


def run_small(module, name, /, **change):
    """A sweep of the quick preset with some values changed, without its denser curve, and its result."""
    config = module.get_config("quick").to_dict()
    config[name].update(change)
    sweep = replace(module.experiment(ConfigDict(config)).sweeps[name], curve={})
    return sweep, run_sweep(name, sweep)


def beside_theory_of(result, name, sweep):
    """The samples of a result beside the theory of another sweep."""
    return replace(result, theory=theory_datasets(Plan(name, sweep))[0])
