"""State evolution of verified self-training: stated values, halving of the angle, fixed points, refusals."""

import numpy as np
import pytest
from predictor_checks import Case, check_batching, check_derivatives, check_refusal

from theorylab import cite, theory

START = dict(rho_g=0.4, rho_v=0.9, r=0.36, lam=0.05)
CASE = Case(theory.verified_self_training_overlaps, {**START, "gammas": np.full(4, 0.25)})


def overlaps(rounds=4, gamma=0.25, **change):
    return CASE.program({**CASE.arrays(), "gammas": np.full(rounds, gamma), **change}).reshape(2, -1)


def test_stated_values():
    rho, r = overlaps()
    np.testing.assert_allclose(rho, [0.4, 0.704096, 0.786222, 0.804345, 0.806971], atol=5e-7)
    np.testing.assert_allclose(r, [0.36, 0.736593, 0.851163, 0.883024, 0.891571], atol=5e-7)
    rho, r = overlaps(60)
    np.testing.assert_allclose([rho[-1], r[-1]], [0.8051810541, 0.8946456156], atol=1e-9)
    assert rho.max() > rho[-1] + 1e-3  # the accuracy peaks before the loop settles


def test_a_perfect_verifier_halves_the_error_in_every_round():
    rho, r = overlaps(gamma=0.0, rho_g=0.5, rho_v=1.0, r=0.5)
    np.testing.assert_allclose(np.arccos(rho) / np.pi, 1 / 3 / 2 ** np.arange(5), rtol=1e-6)
    np.testing.assert_allclose(rho, r, rtol=1e-12)


def test_with_many_pairs_it_tends_to_the_verifier_whatever_the_start():
    for rho_g, r in ((0.4, 0.36), (0.1, 0.3)):
        rho, angle = overlaps(60, 0.0, rho_g=rho_g, r=r)
        np.testing.assert_allclose([rho[-1], angle[-1]], [0.9, 1.0], rtol=1e-7)


def test_one_round_is_the_linear_verifier():
    rho, _ = overlaps(1)
    np.testing.assert_allclose(rho[1], theory.linear_verifier_accuracy(0.4, 0.9, 0.36, 0.25, 0.05).cos, rtol=1e-13)


def test_derivatives():
    check_derivatives(CASE)


def test_batching():
    check_batching(CASE)


@pytest.mark.parametrize("named, bad", [
    ("rho_g, rho_v, r", dict(r=-0.9)),
    ("rho_v", dict(rho_v=1.2)),
    ("gammas", dict(gammas=np.array([0.1, -0.1, 0.1, 0.1]))),
    ("lam", dict(lam=-0.1)),
])  # fmt: skip
def test_outside_the_domain(named, bad):
    check_refusal(CASE, named, **bad)


def test_a_round_that_interpolates_without_a_ridge_is_flagged():
    assert np.isnan(overlaps(lam=0.0, gammas=np.array([0.1, 0.1, 1.5, 0.1]))[:, 3:]).all()


def test_source():
    assert "yi2025escaping" in cite(theory.verified_self_training_overlaps)
