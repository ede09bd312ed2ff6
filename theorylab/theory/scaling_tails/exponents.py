"""All exponents of the family in one table."""

from theorylab.numerics.domain import in_domain
from theorylab.theory.scaling_tails._arguments import heavy_tailed
from theorylab.types import Real

__all__ = ["tail_scaling_exponents"]


def tail_scaling_exponents(beta: Real, beta_train: Real | None = None, rho: Real | None = None) -> dict[str, float]:
    """Predicted exponents of the scaling laws with Zipf data.

        clean            1 - 1/beta              error ~ T^-(.), infinite memory, clean data
        cut_floor        beta - 1                floor ~ k^-(.) when training is cut at rank k
        generator_floor  1 - 1/beta              floor ~ T0^-(.) when the generator saw T0 samples
        narrow           (beta - 1)/beta_train   error ~ T^-(.), training law of exponent beta_train
        generations      1 - 1/beta              error ~ n^(.) after n generations of equal size
        memory           (beta - 1)/(2 rho beta) error ~ d^-(.), associative memory with weights p^rho
        bigram           min(1 - 1/beta, 1/2)    total variation ~ n_samples^-(.) of a conditional law

    Source: @dohmatob2024tale; clean @hutter2021learning; memory @cabannes2024scaling.
    Domain: beta > 1, beta_train > 1, 2 rho beta > 1.
    beta: exponent of the true law. beta_train: exponent of the training law, beta by default.
    rho: storage exponent; `memory` is in the table only when it is given.
    Returns the table.
    Raises ValueError outside the domain.
    """
    beta_train = beta if beta_train is None else beta_train
    heavy_tailed(beta=beta, beta_train=beta_train)
    clean = 1 - 1 / float(beta)
    table = {
        "clean": clean,
        "cut_floor": float(beta) - 1,
        "generator_floor": clean,
        "narrow": float((beta - 1) / beta_train),
        "generations": clean,
        "bigram": min(clean, 0.5),
    }
    if rho is not None:
        in_domain(2 * rho * beta > 1, "rho", rho, f"rho > 1/(2 beta) = {1 / (2 * beta):.4g}")
        table["memory"] = float((beta - 1) / (2 * rho * beta))
    return table
