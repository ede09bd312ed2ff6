"""Responses of which preference data cover some, and what a policy loses against the best one."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.full_support import checked_full_support
from theorylab.problems.policies import LogPolicy, Rewards, checked_responses, kl_divergence
from theorylab.types import Real

__all__ = ["CoverageProblem", "alignment_value_gap", "coverage_problem"]


class CoverageProblem(NamedTuple):
    """Log reference policy, reward, and 1 for the responses that the data cover, 0 for the others [outcomes]."""

    logref: np.ndarray
    reward: np.ndarray
    covered: np.ndarray


def coverage_problem(instance: int, responses: int, covered_responses: int, uncovered: float) -> CoverageProblem:
    """Standard normal rewards and logits of the reference; the data cover the first of the responses.

    uncovered: probability of the other responses under the reference, in proportion to their logits; without any,
    it has no effect.

    Domain: instance >= 0, responses >= covered_responses >= 2, 0 < uncovered < 1. Raises ValueError outside it.
    """
    in_domain(instance >= 0, "instance", instance, "instance >= 0")
    inside = 2 <= covered_responses <= responses
    in_domain(inside, "covered_responses", covered_responses, f"2 .. responses = {responses}")
    in_domain(0 < uncovered < 1, "uncovered", uncovered, "0 < uncovered < 1")
    rng = np.random.default_rng([instance, responses])
    reward, logits = rng.normal(size=responses), rng.normal(size=responses)
    covered = np.arange(responses) < covered_responses
    for part, mass in ((covered, 1 - uncovered), (~covered, uncovered)):
        logits[part] += np.log(mass) - np.logaddexp.reduce(logits[part])
    return CoverageProblem(logits - np.logaddexp.reduce(logits), reward, covered.astype(float))


def alignment_value_gap(logpi: LogPolicy, logref: LogPolicy, reward: Rewards, beta: Real) -> Float[Array, ""]:
    """How far J = E_pi r - beta KL(pi || ref) lies below its maximum: beta KL(pi || ref exp(r / beta) / Z).

    Domain: both policies with full support, beta > 0. Raises ValueError outside it.
    """
    logref, reward, ok = checked_responses(logref, reward)
    logpi, full = checked_full_support(logpi, "logpi")
    ok &= full & in_domain(beta > 0, "beta", beta, "beta > 0")
    logits = logref + reward / beta
    best = logits - jnp.logaddexp.reduce(logits)
    return nan_unless(ok, beta * kl_divergence(logpi, best))
