"""Noise probes: many draws of the label noise through one factorisation of the design."""

import inspect
import typing
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from theorylab.types import Array

__all__ = ["Noise", "quadratic_in_noise"]

Noise: TypeAlias = Callable[[int | Array, tuple[int, ...]], Array]


def quadratic_in_noise(errors: Callable[..., dict[str, Array]]) -> Callable[..., dict[str, Array]]:
    """Make a simulator from a function that returns error vectors which are affine in Gaussian noise.

    errors(key, noise, ...symbols) -> {measurement: vectors [..., d]}, scaled so that the measurement is the squared
    norm over the last axis. `key` draws the design; `noise(stage, shape)` returns the standard normals of a stage
    (an integer, which may be traced inside a scan). The vectors must be affine in all noise together.

    Returns simulate(key, ...symbols, probes=0) -> {measurement: [...]}, one replicate.

        probes = 0:  |e(design, noise)|^2, one draw of everything
        probes = K:  |m|^2 + (1/K) sum_k |e(design, noise_k) - m|^2 ,   m = e(design, 0)

    Both have the same expectation, given the design too: the cross term 2 <m, e - m> is linear in the noise and is
    left out. The design and its factorisations are computed once for all K + 1 noise vectors, and a key gives the
    same design for every `probes`. No averaged formula enters, so a verdict may rest on either.
    `simulate.errors` is the function that was given.
    """
    signature = inspect.signature(errors)
    key, _, *symbols = signature.parameters.values()
    probes = inspect.Parameter("probes", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=0, annotation=int)
    public = signature.replace(parameters=[key, *symbols, probes])

    @wraps(errors)
    def simulate(*args: Any, **kwargs: Any) -> dict[str, Array]:
        bound = public.bind(*args, **kwargs)
        bound.apply_defaults()
        key, *values, probes = bound.arguments.values()
        if not isinstance(probes, int) or probes < 0:
            raise ValueError(f"probes = {probes!r} is outside its domain: a static integer >= 0")
        key_design, key_noise = jax.random.split(key)

        def vectors(key_noise: Array, scale: float | Array) -> dict[str, Array]:
            def noise(stage: int | Array, shape: tuple[int, ...]) -> Array:
                return scale * jax.random.normal(jax.random.fold_in(key_noise, stage), shape)

            return errors(key_design, noise, *values)

        if probes == 0:
            return jax.tree.map(lambda e: jnp.sum(e**2, -1), vectors(key_noise, 1.0))
        # the zero vector is one more lane, so that the mean shares the factorisation with the probes
        scales = jnp.ones(probes + 1).at[0].set(0.0)
        return jax.tree.map(_mean_square, jax.vmap(vectors)(jax.random.split(key_noise, probes + 1), scales))

    hints = {**typing.get_type_hints(errors), "probes": int}
    simulate.__annotations__ = {name: hints[name] for name in (*public.parameters, "return") if name in hints}
    simulate.__signature__ = public  # type: ignore[attr-defined]
    simulate.errors = errors  # type: ignore[attr-defined]
    del simulate.__wrapped__
    return simulate


def _mean_square(vectors: Array) -> Array:
    """Mean square norm of affine vectors, from the one without noise (entry 0) and the ones with."""
    mean, noisy = vectors[0], vectors[1:]
    return jnp.sum(mean**2, -1) + jnp.mean(jnp.sum((noisy - mean[None]) ** 2, -1), 0)
