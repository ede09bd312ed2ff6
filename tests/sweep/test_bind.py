"""Symbols are bound by name, and every misfit is refused when the sweep is built."""

import re

import jax.numpy as jnp
import numpy as np
import pytest
from toy import simulate, toy_problem, toy_sweep

from theorylab.errors import UsageError
from theorylab.sweep.bind import Binding, is_static
from theorylab.sweep.plan import Plan
from theorylab.types import Real, Vector


@pytest.mark.parametrize(
    "hint, static",
    [
        (int, True),
        (bool, True),
        (str, True),
        (tuple[int, ...], True),
        (int | None, True),
        (int | tuple[int, ...], True),
        (float, False),
        (Real, False),
        (Vector, False),
        (None.__class__, True),
        (np.ndarray, False),
    ],
)
def test_the_annotation_decides_what_is_static(hint, static):
    assert is_static(hint) is static


def test_a_derived_named_tuple_provides_its_fields_and_is_derived_once_per_distinct_arguments():
    calls = []

    def problem(d: int) -> toy_problem.__annotations__["return"]:  # type: ignore[valid-type]
        calls.append(d)
        return toy_problem(d)

    binding = Binding(toy_sweep(derive=dict(problem=problem, T=lambda T_per_d, d: round(T_per_d * d))))
    assert calls == []  # building checks names only
    for t in (2.0, 4.0):
        assert binding.value("spectrum", {"d": 3, "T_per_d": t}).shape == (3,)
    assert calls == [3]
    assert binding.axes_of(simulate) == ("d", "T_per_d", "lam", "generations")


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(values={"sgima": 0.1}), "'sgima' is used by nobody; did you mean 'sigma'"),
        (dict(values={"lam": 0.1}), "lam = 0.1 is an axis and must list at least one point"),
        (dict(values={"lam": ()}), "lam = () is an axis"),
        (dict(values={"lam": (0.1, 0.1)}), "repeats a point"),
        (dict(values={"sigma": float("nan")}), "sigma = nan must be finite"),
        (dict(values={"replicates": 0}), "replicates = 0 must be an integer of at least 1"),
        (dict(values={"replicates": 2.5}), "replicates = 2.5 must be an integer"),
        (dict(over=("d", "T_per_d", "q")), "axis 'q' has no values"),
        (dict(paired=("lam",)), "paired axis 'lam' is no outer axis"),
        (dict(curve={"T": (1.0,)}), "curve names 'T', which is no axis"),
        (dict(measure={}), "names no measurement"),
        (dict(simulate=None, predict=None), "needs simulate, predict, or both"),
        (dict(derive=dict(problem=toy_problem)), "needs 'T', which nothing provides"),
        (dict(derive=dict(problem=toy_problem, T=lambda b: b, b=lambda T: T)), "derive is circular"),
        (dict(derive=dict(problem=toy_problem, T=lambda lam: 3)), "derived from an inner axis"),
        (dict(predict={"rsik": lambda lam: lam}), "'rsik', which is not measured"),
        (dict(measure={"risk": ("lam", "generations", "T_per_d")}), "does not take the inner axis 'T_per_d'"),
        (dict(block=0), "must be at least 1"),
    ],
)
def test_misfits_are_refused_by_name(changes, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        Plan("toy", toy_sweep(**changes))


def test_sizes_become_numbers_where_they_flow_and_stay_integers_where_they_are_static():
    group = Plan("toy", toy_sweep()).groups[0]
    assert type(group.static["T"]) is int and group.static["generations"] == (1, 2)
    assert group.shared["sigma"].dtype == jnp.float64
