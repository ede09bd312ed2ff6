"""Figures of `scaling_tails`: learning curves with a heavy tail, whole, cut, narrowed, resampled and mixed."""

import math

from theorylab.plotting.overlay import colours, figure, log_axes, overlay, panel_title, theory_line

ERROR = r"test error $E$"
SAMPLES = r"samples $T$"
NESTED = "points of a curve share their draws"


def fig_clean(results):
    """One power law for each exponent: the exact sum, and its asymptote."""
    fig, (ax,) = figure(width=5.8)
    betas = _points(results["clean"], "beta")
    overlay(ax, results["clean"], "risk", x="T", series="beta")
    for beta, colour in zip(betas, colours(len(betas))):
        theory_line(ax, results["clean_law"], "risk", x="T", where={"beta": beta}, color=colour, linestyle="--")
    slopes = [_slope(results["clean"], beta=beta) for beta in betas]
    _legend(ax, [rf"$\beta = {b:g}$: slope {s:.3f}, $1 - 1/\beta = {1 - 1 / b:.3f}$" for b, s in zip(betas, slopes)])
    return _learning_curve(fig, ax, f"clean data; dashed: power law ({NESTED})")


def fig_cut(results):
    """A common curve, left at T = k^beta zeta(beta) for a floor."""
    fig, (ax,) = figure(width=5.8)
    cuts = _points(results["cut"], "k")
    overlay(ax, results["cut"], "risk", x="T", series="k")
    for k, colour in zip(cuts[1:], colours(len(cuts))[1:]):
        theory_line(ax, results["double_law"], "risk", x="T", where={"k": k}, color="0.3", linestyle="--", linewidth=1)
        ax.axhline(_at(results["double_law"], "floor", k=k), color=colour, linestyle=":", linewidth=1)
        ax.axvline(_at(results["double_law"], "time", k=k), ymax=0.06, color=colour, linewidth=2)
    _legend(ax, [f"$k = {k}$" if k else "no cut" for k in cuts])
    return _learning_curve(
        fig,
        ax,
        r"cut at rank $k$, $\beta = 1.5$; dashed: incomplete gamma, ticks: $k^\beta \zeta(\beta)$",
        y=(0.02, 0.05, 0.1, 0.2, 0.4),
    )


def fig_floor_k(results):
    """Three ways to a floor: by rank, by nucleus sampling, by the samples of a generator."""
    fig, axes = figure(3, width=3.6, sharey=True)
    floor = results["floor"]
    for ax, x, label in zip(axes, ("k", "lost"), (r"ranks kept $k$", r"mass cut off by nucleus sampling")):
        overlay(ax, floor, "risk", x=x)
        ax.set(xlabel=label)
    overlay(axes[2], results["generator"], "risk", x="T0")
    axes[2].set(xlabel=r"samples of the generator $T_0$")
    axes[0].set_ylabel(r"floor of the error, $\beta = 1.5$")
    for ax, title in zip(axes, (r"floor $\sim k^{-(\beta - 1)}$", "the floor is the mass", r"floor $\sim T_0^{-c}$")):
        log_axes(ax)
        panel_title(ax, title)
    _ticks(axes[0], y=(0.05, 0.1, 0.2, 0.3))
    _ticks(axes[1], x=(0.05, 0.1, 0.2, 0.3))
    return fig


def fig_collapse_scaled(results):
    """Different cuts on one master curve, and the additive law above it."""
    fig, (scaled, mixed) = figure(2)
    overlay(scaled, results["crossover"], "scaled", x="ratio", series="k", where={"pi": 0.0}, label="$k = {}$")
    theory_line(scaled, results["master"], "double", x="ratio", where={}, color="0.3")
    theory_line(scaled, results["master"], "additive", x="ratio", where={}, color="0.3", linestyle="--")
    scaled.lines[-1].set_label(r"additive law")
    scaled.set(xlim=(0.1, 10), ylim=(0.6, 4), ylabel=r"$k^{\beta - 1} E$")
    panel_title(scaled, r"cut data, $\beta = 1.5$; line: $k \to \infty$")
    overlay(mixed, results["crossover"], "risk", x="ratio", series="k", where={"pi": 0.1}, label="$k = {}$")
    mixed.set(ylabel=ERROR)
    panel_title(mixed, "10% real rows; lines: incomplete gamma")
    for ax in (scaled, mixed):
        log_axes(ax)
        ax.set(xlabel=r"$T/k^\beta$")
        ax.legend()
    _ticks(mixed, y=(0.05, 0.1, 0.2, 0.3, 0.4))
    return fig


def fig_narrow(results):
    """No floor, but a slower law."""
    fig, (ax,) = figure(width=5.8)
    narrow, table = results["narrow"], results["power_law"]
    temperatures = _points(narrow, "temperature")
    overlay(ax, narrow, "risk", x="T", series="temperature")
    slopes = [_slope(narrow, temperature=t) for t in temperatures]
    predicted = [_at(table, "exponent", temperature=t) for t in temperatures]
    for t, colour in zip(temperatures, colours(len(temperatures))):
        theory_line(ax, table, "power_law", x="T", where={"temperature": t}, color=colour, linestyle="--")
    lines = zip(temperatures, slopes, predicted)
    _legend(ax, [rf"temperature {t:g}: slope {s:.3f}, $(\beta - 1)/\beta' = {e:.3f}$" for t, s, e in lines])
    return _learning_curve(
        fig, ax, rf"tail narrowed from $\beta = 1.5$; dashed: power law ({NESTED})", y=(0.02, 0.05, 0.1, 0.2, 0.5)
    )


def fig_generations(results):
    """Parallel shifts with the number of generations; growing data stop them."""
    fig, (left, right) = figure(2)
    overlay(left, results["generations"], "risk", x="T", series="generations", label="$n = {}$")
    _learning_curve(fig, left, r"$n$ resamplings of $T$ samples, $\beta = 1.5$", y=(0.07, 0.1, 0.2, 0.3, 0.4))
    left.legend(ncols=2)
    equal, many = results["generations"], results["many_generations"].theory
    overlay(right, equal, "risk", x="generations", where={"T": 100}, label="equal sizes, $T = 100$")
    overlay(right, results["growing"], "risk", x="generations", series="growth", label="each {} times larger", offset=1)
    start = _at(equal, "risk", T=100, generations=0)
    right.plot(many.generations, many.asymptote * start, color="0.3", linestyle="--", label=r"$(n/2)^c E_0$")
    right.axhline(start, color="0.3", linestyle=":", linewidth=1, label="$E_0$")
    log_axes(right)
    right.set(xlim=(0.97, 18), ylim=(0.15, 0.6), xlabel="generations $n$", ylabel=ERROR)
    _ticks(right, x=(1, 2, 4, 8, 16), y=(0.2, 0.3, 0.4, 0.5))
    panel_title(right, r"$T_0 = 100$, $\beta = 1.5$")
    right.legend()
    return fig


def fig_grokking(results):
    """A plateau at the floor of the cut data, then the clean scaling with pi T samples."""
    fig, (ax,) = figure(width=5.8)
    shares = _points(results["grokking"], "pi")
    for pi, colour in zip(shares, colours(len(shares))):
        theory_line(ax, results["plateau"], "risk", x="T", where={"pi": pi}, color=colour, linestyle="--")
        if 0 < pi < 1:
            ax.axvline(_at(results["plateau"], "time", pi=pi), ymax=0.06, color=colour, linewidth=2)
    overlay(ax, results["grokking"], "risk", x="T", series="pi", label=r"$\pi = {:g}$")
    _learning_curve(
        fig, ax, r"share $\pi$ of real rows, $k = 100$; dashed: incomplete gamma, ticks: $k^\beta \zeta(\beta)/\pi$"
    )
    return fig


def fig_bigram(results):
    """Two powers are needed: one alone is visibly off."""
    fig, (ax,) = figure(width=5.8)
    betas = _points(results["bigram"], "beta")
    overlay(ax, results["bigram"], "risk", x="T", series="beta", label=r"$\beta = {}$")
    for beta, colour in zip(betas, colours(len(betas))):
        for name, style in (("two_terms", "--"), ("leading", ":")):
            theory_line(
                ax, results["expansion"], name, x="T", where={"beta": beta}, color=colour, linestyle=style, linewidth=1
            )
    _learning_curve(fig, ax, "counted next-token law; dashed: two powers, dotted: the leading one")
    ax.set(xlabel=r"samples $N$ of the context", ylabel="total variation", ylim=(0.004, 1.2))
    return fig


def fig_memory(results):
    """Storage schemes: the flatter the weights, the steeper the law, until the memory is full."""
    fig, (left, right) = figure(2)
    rho = _points(results["memory"], "rho")
    overlay(left, results["memory"], "risk", x="d", series="rho")
    _legend(left, [rf"$w = p^\rho$, $\rho = {r:g}$" if r else "the first $d$ items" for r in rho])
    panel_title(left, r"20 classes, $\beta = 1.5$; lines: Gaussian theory")
    slopes = results["memory_slopes"]
    overlay(right, slopes, "risk", x="d", series="rho")
    _legend(right, [rf"$\rho = {r:g}$: slope {_slope(slopes, 'd', rho=r):.3f}, "
                    rf"$(\beta - 1)/2\rho\beta = {_at(slopes, 'exponent', rho=r):.3f}$"
                    for r in _points(slopes, "rho")])  # fmt: skip
    panel_title(right, r"$\beta = 2$ (formula only)")
    for ax in (left, right):
        log_axes(ax)
        ax.set(xlabel="dimension $d$", ylabel=ERROR)
    _ticks(left, x=_points(results["memory"], "d"), y=(0.02, 0.05, 0.1, 0.2, 0.3))
    _ticks(right, x=_points(slopes, "d"), y=(0.01, 0.02, 0.05, 0.1))
    return fig


def fig_triplet(results):
    """Samples, cut and capacity: whichever is scarce limits the error."""
    fig, (ax,) = figure(width=5.8)
    overlay(ax, results["triplet"], "risk", x="T", series="capacity", label="capacity {}")
    floor = _at(results["double_law"], "floor", k=100)
    ax.axhline(floor, color="0.3", linestyle=":", linewidth=1, label=r"floor of the cut $k = 100$")
    title = r"a memory for the most frequent items, data cut at $k = 100$, $\beta = 1.5$"
    return _learning_curve(fig, ax, title, y=(0.07, 0.1, 0.2, 0.3, 0.4))


def _ticks(ax, x=(), y=()):
    """Readable numbers where a logarithmic axis would show a single power of ten."""
    for values, set_ticks in ((x, ax.set_xticks), (y, ax.set_yticks)):
        if len(values):
            set_ticks(values, [f"{value:g}" for value in values])
            set_ticks([], minor=True)


def _points(result, axis):
    return list((result.samples if result.samples is not None else result.theory)[axis].values)


def _at(result, name, **where):
    return float(result.theory[name].sel(where, method="nearest"))


def _slope(result, x="T", low=100, **where):
    """Decay of the curve from `low` to its last point, on log axes: that of the samples where there are any."""
    risk = (result.theory.risk if result.samples is None else result.mean("risk")).sel(where, method="nearest")
    first, last = risk.sel({x: low}, method="nearest"), risk.isel({x: -1})
    return math.log(float(first / last)) / math.log(float(last[x] / first[x]))


def _legend(ax, labels):
    handles, _ = ax.get_legend_handles_labels()
    ax.legend(handles, labels)


def _learning_curve(fig, ax, title, y=()):
    panel_title(ax, title)
    log_axes(ax)
    ax.set(xlabel=SAMPLES, ylabel=ERROR)
    _ticks(ax, y=y)
    if ax.get_legend() is None:
        ax.legend()
    return fig
