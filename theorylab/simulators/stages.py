"""Simulations in stages: pure functions whose state a sweep stores after every stage, and takes up again."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from theorylab.types import Array

__all__ = ["Stages", "in_stages"]


class Stages(NamedTuple):
    """One replicate, cut into `number` stages.

    start: () -> state, any tree of arrays of numbers.
    advance: (state, stage) -> state, the same tree; `stage`, a traced integer, runs from 0 to number - 1.
    measure: state -> {measurement: array}, after the last stage.

    Randomness comes from the key of the replicate, folded with the stage; a state holds no keys.
    """

    number: int
    start: Callable[[], Any]
    advance: Callable[[Any, Array], Any]
    measure: Callable[[Any], dict[str, Array]]


def in_stages(describe: Callable[..., Stages]) -> Callable[..., dict[str, Array]]:
    """Decorate `describe(key, ...) -> Stages` to a simulator `simulate(key, ...) -> {measurement: array}`.

    Called, it runs all stages. A sweep runs them one by one through the attribute `in_stages`, which is `describe`, and
    makes the state durable after each: a killed run goes on from the last stage that was finished.
    """

    @functools.wraps(describe)
    def simulate(*args: Any, **kwargs: Any) -> dict[str, Array]:
        stages = describe(*args, **kwargs)
        step = lambda stage, state: stages.advance(state, stage)
        return stages.measure(jax.lax.fori_loop(0, stages.number, step, stages.start()))

    simulate.in_stages = describe  # type: ignore[attr-defined]
    return simulate
