"""Figures of `label_mixing`: refitting to mixtures of real and synthetic labels."""

from theorylab.plotting.overlay import colours, figure, log_axes, overlay, panel_title, theory_line

GOLDEN = (5**0.5 - 1) / 2
WEIGHT = "weight $r$ of the real labels"
FACTOR = "variance / that of real labels alone"


def fig_golden(results):
    """One curve whatever the covariance, for interpolation and least squares, lowest at one over the golden ratio."""
    fig, axes = figure(2)
    first = {"s": 1.0, "rounds": 40}
    kinds = [(n, covariance) for n in (15, 60) for covariance in ("isotropic", "power law")]
    for index, (n, covariance) in enumerate(kinds):
        label = f"{'interpolation' if n == 15 else 'least squares'}, {covariance}"
        where = {**first, "n": n, "covariance": covariance}
        overlay(
            axes[0], results["golden"], "variance", x="real_weight", where=where, label=label, offset=index, total=4
        )
    panel_title(axes[0], "after 40 rounds, $d = 30$, $n = 15$ or $60$, equal noise")
    axes[0].set(xlabel=WEIGHT, ylabel=FACTOR, ylim=(0, 6))
    axes[0].legend()
    overlay(axes[1], results["mean"], "risk", x="real_weight", series="rounds", label="round {}")
    panel_title(axes[1], "a mean, $n = 20$ real and $m = 40$ synthetic samples")
    axes[1].set(xlabel=WEIGHT, ylabel=r"squared error / $\sigma^2$", ylim=(0, 0.1))
    axes[1].axvline(0.5, color="0.5", linestyle=":", linewidth=1.2)
    axes[0].axvline(GOLDEN, ymax=0.25, color="0.5", linestyle=":", linewidth=1.2)
    axes[0].text(GOLDEN, 1.55, r"$0.618$", color="0.35", ha="center")
    axes[1].text(0.51, 0.094, r"best for $s = n/m = 1/2$", color="0.35", ha="left")
    axes[1].legend(loc="lower right")
    return fig


def fig_weight_vs_noise(results):
    """The noisier the synthetic labels, the more weight for real ones; the least variance is the weight itself."""
    fig, axes = figure(2)
    where = {"rounds": 40, "n": 15, "covariance": "isotropic"}
    overlay(axes[0], results["golden"], "variance", x="real_weight", series="s", where=where, label="$s = {:g}$")
    best = results["best"].theory
    axes[0].plot(best.weight, best.factor, ":", color="tab:red", linewidth=1.4, zorder=4, label="least value = weight")
    panel_title(axes[0], "after 40 rounds, isotropic, $d = 30$, $n = 15$")
    axes[0].set(xlabel=WEIGHT, ylabel=FACTOR, yscale="log", ylim=(0.02, 20))
    axes[0].legend(loc="lower right", ncols=2)
    theory_line(axes[1], results["best"], "weight", x="s", where={}, color="tab:red")
    axes[1].lines[-1].set_label("formula")
    found = results["golden"].mean("variance").sel(where).idxmin("real_weight")
    axes[1].plot(found.s, found, "o", color=colours(2)[0], label="best simulated weight")
    panel_title(axes[1], "best weight")
    axes[1].set(xscale="log", xlabel=r"$s = \sigma_{syn}^2 / \sigma^2$", ylabel=WEIGHT, ylim=(0, 1.03))
    axes[1].legend(loc="upper left")
    return fig


def fig_ridge_opt(results):
    """Ridge: the best weight is at least one half for equal noise, and may be less for less noisy synthetic labels."""
    fig, axes = figure(5, width=3.5)
    cases = [(noise, shape) for noise in (1.0, 0.3) for shape in (0.5, 2.0)]
    for ax, (s, shape) in zip(axes, cases):
        overlay(ax, results["ridge_best"], "weight", x="lam", series="sigma", where={"s": s, "d_per_n": shape},
                label=r"$\sigma = {:g}$")  # fmt: skip
        ax.axhline(0.5, color="0.5", linestyle=":", linewidth=1.2)
        panel_title(ax, rf"best weight, $d/n = {shape:g}$, $s = {s:g}$ (formula)")
        ax.set(xscale="log", xlabel=r"ridge $\lambda$", ylim=(0, 1.05))
    axes[0].set_ylabel("best " + WEIGHT)
    axes[0].legend(loc="lower left")
    overlay(axes[4], results["ridge"], "risk", x="real_weight", series="s",
            where={"d": 10**6, "sigma": 3.0, "rounds": 20}, label="$s = {:g}$")  # fmt: skip
    panel_title(axes[4], r"two levels, $d/n = 4/3$, $\lambda = 1$, $\sigma = 3$")
    axes[4].set(xlabel=WEIGHT, ylabel="excess risk after 20 rounds")
    axes[4].legend()
    return fig


def fig_trajectory(results):
    """A weight above zero prevents collapse; synthetic labels help only next to fresh real ones."""
    fig, axes = figure(3, sharey=True)
    titles = ("one design, fresh real labels", "fresh designs and labels", "real labels drawn once")
    for ax, design, title in zip(axes, ("fixed", "fresh", "fixed_real"), titles):
        overlay(
            ax, results["path"], "risk", x="rounds", series="real_weight", where={"design": design}, label="$r = {:g}$"
        )
        panel_title(ax, title)
        log_axes(ax, "y")
        ax.set(xlabel="round $t$")
    axes[0].set_ylabel("excess risk")
    axes[0].legend(loc="upper left", ncols=2)
    return fig
