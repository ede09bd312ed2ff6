"""Arguments of the predictors and what is refused."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from theorylab.numerics.domain import in_domain
from theorylab.numerics.orthants import correlation_gap
from theorylab.types import Real, Vector

__all__ = ["check_angles", "check_kept", "check_mixture", "check_probabilities", "check_ratio", "floats"]


def floats(*values: Any) -> list[Array]:
    """The values as floating-point arrays."""
    return [jnp.asarray(value, float) for value in values]


def check_probabilities(**values: Any) -> Any:
    """Every value is a probability."""
    ok = True
    for name, value in values.items():
        ok &= in_domain((value >= 0) & (value <= 1), name, value, f"0 <= {name} <= 1")
    return ok


def check_kept(p: Real, phi: Real, psi: Real) -> Any:
    """Three probabilities, and a verifier that keeps something."""
    ok = check_probabilities(p=p, phi=phi, psi=psi)
    keeps = phi * (1 - p) + psi * p > 0
    return ok & in_domain(keeps, "p, phi, psi", (p, phi, psi), "a verifier that keeps some pair")


def check_ratio(gamma: Real, lam: Real, keep: Any = 1.0) -> Any:
    """Dimensions per generated pair and ridge; without a ridge, more kept pairs than dimensions."""
    ok = in_domain((gamma >= 0) & (gamma < np.inf), "gamma", gamma, "0 <= gamma < inf")
    ok &= in_domain((lam >= 0) & (lam < np.inf), "lam", lam, "0 <= lam < inf")
    return ok & in_domain((lam > 0) | (gamma < keep), "lam", lam, "lam > 0 when d >= kept samples (interpolation)")


def check_angles(rho_g: Real, rho_v: Real, r: Real) -> Any:
    """Three cosines of three vectors, up to rounding, of which generator and verifier are not opposite."""
    ok = True
    for name, value in dict(rho_g=rho_g, rho_v=rho_v, r=r).items():
        ok &= in_domain((value >= -1) & (value <= 1), name, value, f"-1 <= {name} <= 1")
    ok &= in_domain(r > -1, "r", r, "r > -1: a verifier opposite to the generator keeps nothing")
    gap = correlation_gap(rho_g, rho_v, r)
    allowed = "the cosines of three vectors: 1 + 2 rho_g rho_v r >= rho_g^2 + rho_v^2 + r^2"
    return ok & in_domain(gap >= -1e-9, "rho_g, rho_v, r", (rho_g, rho_v, r), allowed)


def check_mixture(spectrum: Vector, mu: Vector) -> Any:
    """Positive eigenvalues, and a class mean in their basis that is not zero."""
    in_domain(spectrum.ndim == 1 and spectrum.size > 0, "spectrum", spectrum.shape, "one or more eigenvalues")
    in_domain(mu.shape == spectrum.shape, "mu", f"array of shape {mu.shape}", f"{spectrum.shape}, as spectrum has")
    ok = in_domain((spectrum > 0) & (spectrum < np.inf), "spectrum", spectrum, "finite and > 0")
    return ok & in_domain((mu * mu).sum() > 0, "mu", mu, "a mean that is not zero")
