"""Figures of `strong_collapse`: the floor, the size of the model, weights, and repeated mixing."""

from typing import Any

from theorylab.plotting.overlay import colours, figure, log_axes, overlay, panel_title

ERROR = r"error on real data $E$"
ROWS = r"rows $n$"
FRACTION = r"$p_2 = {:g}$"
QUALITY = r"$c^2 = {:g}$"
GREY: dict[str, Any] = dict(color="0.45", linewidth=1.1, zorder=1)


def fig_plateau(results):
    """Real data alone keep improving; every other series flattens on its dotted line; a ridge moves that line."""
    fig, axes = figure(2, width=5.0)
    _learning_curves(axes[0], results["plateau"], r"isotropic, $d = 200$, $c^2 = 0.25$, $\lambda = 10^{-8}$")
    _floors(axes[0], results)
    axes[0].set_ylim(2e-6, 20)
    overlay(axes[1], results["floor"], "total", x="p2", series="lam", where={"n": 1e9}, label=r"$\lambda = {:g}$")
    panel_title(axes[1], r"the floor at a fixed ridge ($n = 1.6\times10^7$, $d = 100$)")
    log_axes(axes[1])
    axes[1].set(xlabel=r"synthetic fraction $p_2$", ylabel=r"$E$ at infinitely many rows")
    axes[1].legend()
    return fig


def fig_plateau_powerlaw(results):
    """The same along a power-law spectrum, with a ridge that vanishes."""
    fig, (ax,) = figure(width=5.6)
    _learning_curves(ax, results["powerlaw"], r"spectrum $j^{-1.5}$, $\lambda = n^{-3/4}$, $c^2 = 0.25$")
    _floors(ax, results)
    return fig


def fig_quality(results):
    """The better the synthetic data, the lower the floor."""
    fig, (ax,) = figure(width=5.6)
    levels = [c2 for c2 in results["plateau"].samples.c2.values if c2 != 0.25]
    overlay(ax, results["plateau"], "total", x="n", series="c2", only=levels, where={"p2": 0.5}, label=QUALITY)
    panel_title(ax, r"isotropic, $d = 200$, $p_2 = 0.5$, $\lambda = 10^{-8}$")
    log_axes(ax)
    ax.set(xlabel=ROWS, ylabel=ERROR, ylim=(3e-5, 30))
    ax.legend()
    return fig


def fig_projection_n(results):
    """Each model size has its own peak, where the rows equal the parameters."""
    fig, (ax,) = figure(width=5.6)
    overlay(ax, results["projection"], "total", x="n_per_d", series="m_per_d", label=r"$m = {:.3g}\,d$")
    panel_title(ax, r"isotropic, $d = 200$, $p_2 = 0.5$, $c^2 = 0.05$, $\lambda = 10^{-3}$")
    log_axes(ax)
    ax.set(xlabel=r"rows per dimension $n/d$", ylabel=ERROR)
    ax.legend(title="projections")
    return fig


def fig_model_size(results):
    """Error and collapse term peak near m = n; behind it the collapse term falls to a positive limit."""
    fig, axes = figure(4, width=3.5, height=3.8)
    data = results["model_size"]
    for ax, p2 in zip(axes, (0.1, 0.5, 0.9)):
        overlay(ax, data, "total", x="m_per_n", series="c2", only=(1e-4, 0.05, 0.5), where={"p2": p2},
                label=QUALITY)  # fmt: skip
        panel_title(ax, rf"$p_2 = {p2}$")
        ax.set(ylabel=ERROR if p2 == 0.1 else "", ylim=(0.2, 3.0))
    overlay(axes[3], data, "zeta", x="m_per_n", series="p2", where={"c2": 0.5}, label=FRACTION)
    panel_title(axes[3], r"collapse term, $c^2 = 0.5$")
    axes[3].set(ylabel=r"collapse term $\zeta$")
    for ax in axes:
        ax.axvline(1, color="0.6", linestyle=":", linewidth=1)
        log_axes(ax, "x")
        ax.set(xlabel=r"model size $m/n$")
    axes[0].legend(title=r"isotropic, $d = 1.2\,n$", loc="upper left")
    axes[3].legend()
    return fig


def fig_pareto(results):
    """Along a curve the model grows; a point above the diagonal pays for the synthetic rows."""
    fig, axes = figure(2, width=4.8, height=4.2)
    panels = [("model_size", {"p2": 0.5}, "isotropic"), ("pareto", {}, r"spectrum $j^{-1}$")]
    for ax, (name, where, inputs) in zip(axes, panels):
        _real_against_mixture(ax, results[name], where)
        panel_title(ax, inputs + r", $d = 1.2\,n$, $p_2 = 0.5$, $\lambda = 10^{-3}$")
        ax.set(xlabel="error with real rows only", ylabel="error on the mixture")
        log_axes(ax)
        low, high = ax.get_xlim()
        ax.plot((low, high), (low, high), **GREY, linestyle="--", label="no loss")
        ax.set_xlim(low, high)
        ax.legend(title="marker size: $m/n$")
    return fig


def fig_weighting(results):
    """The best weight (star) falls as 1/n, and hardly gains on leaving the synthetic rows out (dotted)."""
    fig, (ax,) = figure(width=5.8)
    data, best = results["weighting"], results["best_weight"].theory
    overlay(ax, data, "total", x="a2", series="n", label=r"$n = {:g}$")
    for n, colour in zip(data.samples.n.values, colours(data.samples.sizes["n"])):
        at = best.sel(n=n)
        ax.plot(at.a2, at.total, marker="*", markersize=13, color=colour, markeredgecolor="w", zorder=4, linestyle="")
        ax.axhline(at.real_only, color=colour, linestyle=":", linewidth=1)
    panel_title(ax, r"isotropic least squares, $d = 100$, $p_2 = 0.5$, $c^2 = 0.3$, $\sigma = 0.5$")
    log_axes(ax)
    ax.set(xlabel=r"weight of a synthetic row $a_2/a_1$", ylabel=ERROR)
    ax.legend()
    return fig


def fig_dynamic(results):
    """Repeated mixing contracts to the dotted fixed point, unless the rows are few."""
    fig, axes = figure(2, width=4.6)
    overlay(axes[0], results["dynamic"], "risk", x="steps", series="p2", label=FRACTION)
    fixed = results["fixed_point"].theory.risk
    for value, colour in zip(fixed.values, colours(fixed.size)):
        axes[0].axhline(value, color=colour, linestyle=":", linewidth=1)
    panel_title(axes[0], r"least squares, $d = 100$, $n = 400$")
    overlay(axes[1], results["expansion"], "risk", x="steps", label=r"$p_2 = 0.9$")
    panel_title(axes[1], r"$d = 40$, $n = 50$: no contraction")
    for ax in axes:
        log_axes(ax, "y")
        ax.set(xlabel="step $t$")
        ax.legend()
    axes[0].set_ylabel(r"error $E_t$")
    return fig


def fig_unequal_cov(results):
    """More synthetic rows, with inputs of another covariance in another basis."""
    fig, (ax,) = figure(width=5.2)
    overlay(ax, results["unequal"], "total", x="n2")
    panel_title(ax, r"real $j^{-0.5}$, synthetic $j^{-1.2}$ rotated, $d = 100$, $n_1 = 200$, $\lambda = 0.05$")
    log_axes(ax)
    ax.set(xlabel=r"synthetic rows $n_2$", ylabel=ERROR)
    return fig


def fig_exact_ols(results):
    """The exact law of least squares, and the distance of the large-size form from it."""
    fig, axes = figure(2, width=4.6)
    overlay(axes[0], results["least_squares"], "risk", x="n", label="exact law and simulation")
    panel_title(axes[0], r"least squares, $d = 20$, $p_2 = 0.5$, $c^2 = 0.4$")
    log_axes(axes[0])
    axes[0].set(xlabel=ROWS, ylabel=ERROR)
    axes[0].legend()
    overlay(axes[1], results["size_gap"], "gap", x="d", series="phi", label=r"$d/n = {:g}$")
    panel_title(axes[1], "large-size form against the exact one")
    axes[1].set(xscale="log", yscale="log", xlabel=r"dimension $d$", ylabel="relative gap")
    axes[1].legend()
    return fig


def _learning_curves(ax, result, title):
    overlay(ax, result, "total", x="n", series="p2", where={"c2": 0.25}, label=FRACTION)
    panel_title(ax, title)
    ax.set(xscale="log", yscale="log", xlabel=ROWS, ylabel=ERROR)
    ax.legend()


def _floors(ax, results):
    for p2 in (0.01, 0.1, 0.5, 0.9):
        floor = results["floor"].theory.total.sel(lam=0.0, p2=p2)
        ax.axhline(floor, linestyle=":", **GREY, label=r"$p_2^2 c^2$" if p2 == 0.9 else None)
    ax.legend()


def _real_against_mixture(ax, result, where):
    """Both errors at the same size, for each quality: c2 = 0 is the error with real rows only."""
    levels = [c2 for c2 in result.samples.c2.values if c2 > 0]
    curve, mean, sem = (data.sel(where, method="nearest") if where else data
                        for data in (result.curve.total, result.mean("total"), result.sem("total")))  # fmt: skip
    for c2, colour in zip(levels, colours(len(levels))):
        real, mixed = (data.sel(c2=[0.0, c2]).transpose("c2", ...) for data in (curve, mean))
        bars = 2 * sem.sel(c2=[0.0, c2]).transpose("c2", ...)
        ax.plot(*real.values, color=colour, linewidth=1.3)
        ax.errorbar(*mixed.values, bars[1], bars[0], fmt="none", ecolor=colour, elinewidth=1)
        ax.scatter(*mixed.values, s=10 + 14 * mean.m_per_n.values, color=colour, zorder=3, label=QUALITY.format(c2))
