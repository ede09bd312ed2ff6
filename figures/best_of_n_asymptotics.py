"""Figures of `best_of_n_asymptotics`: best-of-N against the tilt on sequences of n symbols."""

from math import log

from theorylab.plotting.overlay import colours, figure, log_axes, overlay, panel_title


def fig_gap(results):
    """The gap per symbol closes like log(n)/n, as does the divergence; the reason is the rate function."""
    fig, axes = figure(3, width=3.9)
    long, drawn = results["long"].theory.isel(delta=0), results["drawn"]
    n, lam = long.n_symbols, float(long.lam[0])
    gap = n * (long.tilt - long.bon)
    axes[0].plot(n, gap, "-", color="0.2", linewidth=1.4, label=r"$\delta = 0.3$ (theory)")
    end = n.values[2:]
    axes[0].plot(
        end,
        [float(gap[-1]) + log(m / end[-1]) / (2 * lam) for m in end],
        ":",
        color="tab:red",
        linewidth=1.4,
        label=r"slope $1/(2\lambda)$",
    )
    exact = drawn.theory.tilt - drawn.theory.bon
    measured = drawn.samples.tilt - drawn.samples.bon
    sem = measured.std("replicate", ddof=1) / measured.sizes["replicate"] ** 0.5
    m = exact.n_symbols
    axes[0].plot(m, m * exact, "--", color=colours(3)[1], linewidth=1.2, label=r"$\delta = 0.277$ (theory)")
    axes[0].errorbar(m, m * measured.mean("replicate"), 2 * m * sem, fmt="o", color=colours(3)[1], markersize=4.5,
                     capsize=2, label=r"drawn, $N = 4, 16, 256$")  # fmt: skip
    axes[0].set(xscale="log", xlabel="symbols $n$", ylabel=r"$n \times$ (reward of tilt $-$ best-of-$N$)")
    axes[0].legend()
    panel_title(axes[0], "reward that best-of-$N$ lacks")
    axes[1].plot(n, long.kl_bon_tilt, "-", color="0.2", linewidth=1.4, label="KL(best-of-$N$ || tilt) / $n$")
    short = long.delta - long.kl_bon_p
    axes[1].plot(n, short, "--", color=colours(3)[1], linewidth=1.2,
                 label=r"$\delta$ $-$ KL(best-of-$N$ || reference) / $n$")  # fmt: skip
    scale = float(long.kl_bon_tilt[-1]) * end[-1] / log(end[-1])
    axes[1].plot(end, [scale * log(m) / m for m in end], ":", color="tab:red", label=r"$\log n / n$")
    log_axes(axes[1])
    axes[1].set(xlabel="symbols $n$")
    axes[1].legend()
    panel_title(axes[1], "divergences per symbol (theory)")
    overlay(axes[2], results["tail"], "rate", x="x", series="n_symbols", label="$n = {}$")
    axes[2].lines[0].set_label("rate function $I(x)$")
    axes[2].set(xlabel="mean reward per symbol $x$", ylabel=r"$-\log P(R \geq n x) / n$")
    axes[2].legend()
    panel_title(axes[2], "large deviations of the reference")
    return fig
