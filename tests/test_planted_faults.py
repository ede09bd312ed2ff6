"""Mistakes that one makes in the formulas of each experiment: every one makes a claim fail, the true formula none.

The sweeps are those of the experiments at smaller sizes; only the predictor is exchanged.
"""

from dataclasses import replace
from functools import cache

import jax.numpy as jnp
import pytest
from ml_collections import ConfigDict

from simulations import kernel_collapse, overparam_collapse, ridge_collapse
from theorylab import theory
from theorylab.compare.judge import judge
from theorylab.sweep.assemble import theory_datasets
from theorylab.sweep.execute import run_sweep
from theorylab.sweep.plan import Plan
from theorylab.types import Real, Vector

SMALL = {
    (overparam_collapse, "generator"): dict(d=40, T0=(12, 24), replicates=600),
    (overparam_collapse, "shared"): dict(d=40, T0=(12, 24), replicates=600),
    (overparam_collapse, "downstream"): dict(d=30, T=(18, 75), T0=18, replicates=400),
    (ridge_collapse, "risk"): dict(d=(20, 40, 80), lam=(1e-3, 0.1, 3.0), generations=(0, 2, 10), replicates=400),
    (ridge_collapse, "linear"): dict(d=60, T=48, T0=120, lam=(1e-3, 1e-1), replicates=400),
    (kernel_collapse, "ridge"): dict(T=60, T0=60, lam=(1e-3, 1e-1), generations=(0, 1, 4), replicates=64),
}


def minnorm_without_noise(d: Real, generations: Real, T0: Real, sigma0: Real, w_star_sq: Real, shared: bool = False):
    return theory.isotropic_minnorm_generator_risk(d, generations, T0, 0.0, w_star_sq, shared)


def minnorm_inverted_ratio(d: Real, generations: Real, T0: Real, sigma0: Real, w_star_sq: Real, shared: bool = False):
    return theory.isotropic_minnorm_generator_risk(d, generations, d - T0, sigma0, w_star_sq, shared)


def minnorm_shifted_index(d: Real, generations: Real, T0: Real, sigma0: Real, w_star_sq: Real, shared: bool = False):
    return theory.isotropic_minnorm_generator_risk(d, generations + 1, T0, sigma0, w_star_sq, shared)


def minnorm_fresh_for_shared(d: Real, generations: Real, T0: Real, sigma0: Real, w_star_sq: Real):
    return theory.isotropic_minnorm_generator_risk(d, generations, T0, sigma0, w_star_sq)


def downstream_double_noise(d: Real, generations: Real, T: Real, T0: Real, sigma: Real, sigma0: Real, w_star_sq: Real):
    return theory.isotropic_minnorm_collapse_risk(d, generations, T, T0, sigma, 2 * sigma0, w_star_sq)


def downstream_swapped_sizes(d: Real, generations: Real, T: Real, T0: Real, sigma: Real, sigma0: Real, w_star_sq: Real):
    return theory.isotropic_minnorm_collapse_risk(d, generations, T, d - T0, sigma, sigma0, w_star_sq)


def downstream_one_more(d: Real, generations: Real, T: Real, T0: Real, sigma: Real, sigma0: Real, w_star_sq: Real):
    return theory.isotropic_minnorm_collapse_risk(d, generations + 1, T, T0, sigma, sigma0, w_star_sq)


def ridge_fault(**wrong):
    """ridge_collapse_risk_ols_generators with some arguments replaced by functions of all of them."""

    def faulty(
        spectrum: Vector, w_star: Vector, generations: Real, T: Real, T0: Real, lam: Real, sigma: Real, sigma0: Real
    ):
        given = dict(
            spectrum=spectrum, w_star=w_star, generations=generations, T=T, T0=T0, lam=lam, sigma=sigma, sigma0=sigma0
        )
        return theory.ridge_collapse_risk_ols_generators(**{**given, **{k: f(**given) for k, f in wrong.items()}})

    return faulty


RIDGE_FAULTS = {
    "lambda doubled": ridge_fault(lam=lambda lam, **_: 2 * lam),
    "lambda not divided by T": ridge_fault(lam=lambda lam, T, **_: lam * T),
    "T and T0 exchanged": ridge_fault(T=lambda T0, **_: T0),
    "one generator too many": ridge_fault(generations=lambda generations, **_: generations + 1),
    "noise variance for its root": ridge_fault(sigma0=lambda sigma0, **_: sigma0**2),
    "no collapse term": ridge_fault(sigma0=lambda sigma0, **_: 0.0 * sigma0),
}


def kernel_fault(**wrong):
    def faulty(
        spectrum: Vector, C, generations: int, T: Real, T0: Real, lam: Real, lam0: Real, sigma: Real, sigma0: Real
    ):
        given = dict(T=T, T0=T0, lam=lam, lam0=lam0, sigma=sigma, sigma0=sigma0)
        return theory.kernel_ridge_collapse_risk(
            spectrum, C, generations, **{**given, **{name: f(**given) for name, f in wrong.items()}}
        )

    return faulty


FAULTS = {
    (overparam_collapse, "generator"): {
        "no noise": minnorm_without_noise,
        "ratio inverted": minnorm_inverted_ratio,
        "index shifted": minnorm_shifted_index,
    },
    (overparam_collapse, "shared"): {
        "no noise": minnorm_without_noise,
        "ratio inverted": minnorm_inverted_ratio,
        "fresh for shared": minnorm_fresh_for_shared,
    },
    (overparam_collapse, "downstream"): {
        "noise doubled": downstream_double_noise,
        "sizes exchanged": downstream_swapped_sizes,
        "one generator too many": downstream_one_more,
    },
    # a ridge that is off by a factor T leaves no law in 1/d, so that the claim on `risk` is unresolved: see `linear`
    (ridge_collapse, "risk"): {name: fault for name, fault in RIDGE_FAULTS.items() if "divided" not in name},
    (ridge_collapse, "linear"): {
        # the claim is on slopes: it cannot see a shift, and has no relative deviation from a slope of zero
        **{name: fault for name, fault in RIDGE_FAULTS.items() if name[:3] not in ("one", "no ")},
        "generators count twice": ridge_fault(generations=lambda generations, **_: 2 * generations),
        "generators add up like a square root": ridge_fault(generations=lambda generations, **_: jnp.sqrt(generations)),
    },
    (kernel_collapse, "ridge"): {
        "lambda not divided by T": kernel_fault(lam=lambda lam, T, **_: lam * T),
        "noise of one output for all": kernel_fault(sigma0=lambda sigma0, **_: sigma0 / 10**0.5),
        "no label noise": kernel_fault(sigma=lambda sigma, **_: 0.0 * sigma),
    },
}
CASES = [(*key, name) for key, faults in FAULTS.items() for name in faults]


@cache
def simulated(module, name):
    config = module.get_config("quick").to_dict()
    config[name].update(SMALL[module, name])
    sweep = replace(module.experiment(ConfigDict(config)).sweeps[name], curve={})
    return sweep, run_sweep(name, sweep)


def verdicts(module, name, predict=None):
    """Verdicts of those claims on this sweep that compare it with theory; with another predictor, if one is given."""
    sweep, result = simulated(module, name)
    if predict:
        result = replace(result, theory=theory_datasets(Plan(name, replace(sweep, predict=predict)))[0])
    claims = [c for c in module.CLAIMS if c.sweeps == (name,) and c.kind in ("exact", "asymptotic", "exponent")]
    return [judge(claim, {name: result}).verdict for claim in claims]


@pytest.mark.parametrize("module, name", FAULTS, ids=lambda x: getattr(x, "__name__", x))
def test_the_true_formula_does_not_fail(module, name):
    assert "fails" not in verdicts(module, name)  # at most 1e-3 per claim by chance


@pytest.mark.parametrize("module, name, fault", CASES, ids=lambda x: getattr(x, "__name__", x))
def test_a_planted_fault_makes_a_claim_fail(module, name, fault):
    assert "fails" in verdicts(module, name, FAULTS[module, name][fault])
