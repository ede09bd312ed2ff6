"""Retraining, again and again, on fresh real rows and fresh rows that the last model labels."""

import jax
import jax.numpy as jnp

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.simulators.probes import Noise, quadratic_in_noise
from theorylab.simulators.regression_collapse.fits import ridge_solver
from theorylab.simulators.strong_collapse._designs import check_non_negative, check_rows, check_vectors
from theorylab.types import Array, Key, Real, Vector

__all__ = ["simulate_dynamic_mixing"]


@quadratic_in_noise
def simulate_dynamic_mixing(
    key: Key,
    noise: Noise,
    spectrum: Vector,
    w1: Vector,
    mu0: Vector,
    cov0: Vector,
    n1: int,
    n2: int,
    sigma1: Real,
    sigma2: Real,
    lam: Real,
    steps: int | tuple[int, ...],
) -> dict[str, Array]:
    """Excess risks of a model that is refitted on mixtures of real rows and rows of its own labels: one replicate.

        w_0 = w1 + mu0 + sqrt(cov0) z
        w_(t+1) = ridge fit to n1 rows y = x . w1 + sigma1 eps and n2 rows y = x . w_t + sigma2 eps, all rows fresh
        risk_t = |w_t - w1|_Sigma^2

    Source: the dynamic mixing of @dohmatob2024strong after @ferbach2024self, with fresh rows at each step.
    Domain: lam, sigma1, sigma2, cov0, spectrum >= 0; at lam = 0 and n1 + n2 >= d spectrum > 0.

    spectrum: eigenvalues of Sigma [d]; rows x ~ N(0, Sigma). w1: true weights in its eigenbasis [d].
    mu0, cov0: mean and variances of the first error [d]; z is drawn once per replicate, and counts as noise.
    n1, n2: rows of each refit. sigma1, sigma2: standard deviations of their label noise.
    lam: ridge; squared errors are averaged over the rows, the penalty is lam |w|^2.
    steps: the last step, or the steps to report; they share their draws.
    probes: 0 for one draw of the noise, K for K noise vectors through each factorisation (see quadratic_in_noise).
    Returns risk [steps + 1], or one for each entry of steps; the noise of a test label is not added.
    Raises ValueError outside the domain.
    """
    check_vectors(spectrum, w1=w1, mu0=mu0, cov0=cov0)
    wanted = tuple(range(steps + 1)) if isinstance(steps, int) else steps
    in_domain(len(wanted) > 0 and min(wanted) >= 0, "steps", steps, "steps >= 0")
    ok = check_rows(n1=n1, n2=n2)
    ok &= check_non_negative(spectrum=spectrum, cov0=cov0, sigma1=sigma1, sigma2=sigma2, lam=lam)
    scale, truth = jnp.sqrt(jnp.asarray(spectrum)), jnp.asarray(w1)
    synthetic = jnp.arange(n1 + n2) >= n1
    level = jnp.where(synthetic, jnp.asarray(sigma2, float), jnp.asarray(sigma1, float))

    def refit(w: Array, t: Array) -> tuple[Array, Array]:
        X = jax.random.normal(jax.random.fold_in(key, t), (n1 + n2, scale.size)) * scale[None]
        w = ridge_solver(X, lam)(jnp.where(synthetic, X @ w, X @ truth) + level * noise(t, level.shape))
        return w, w

    first = truth + jnp.asarray(mu0) + jnp.sqrt(jnp.asarray(cov0)) * noise(0, scale.shape)
    later = jax.lax.scan(refit, first, jnp.arange(1, max(wanted) + 1))[1]
    errors = jnp.concatenate([first[None], later])[jnp.array(wanted)] - truth[None]
    return {"risk": nan_unless(ok, scale[None] * errors)}
