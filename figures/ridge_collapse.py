"""Figures of `ridge_collapse`: the error of ridge regression behind a chain of generators."""

from theorylab.plotting.overlay import figure, log_axes, overlay, panel_title

RISK = r"excess risk $E$"
GENERATORS = r"$n = {}$"


def fig_lambda_sweep(results):
    """U-shapes in the ridge; the minimum moves right and up with the number of generators."""
    fig, axes = figure(2, sharey=True)
    for ax, ratio in zip(axes, (0.8, 4.0)):
        overlay(ax, results["risk"], "risk", x="lam", series="generations", where={"d": 100, "T_per_d": ratio},
                label=GENERATORS)  # fmt: skip
        panel_title(ax, rf"isotropic, $d = 100$, $T = {round(100 * ratio)}$, $T_0 = 200$")
        log_axes(ax)
        ax.set(xlabel=r"ridge $\lambda$")
    axes[0].set_ylabel(RISK)
    axes[1].legend(title="generators")
    return fig


def fig_linear_in_generations(results):
    """Straight lines in the number of generators."""
    fig, (ax,) = figure()
    overlay(ax, results["linear"], "risk", x="generations", series="lam", label=r"$\lambda = {}$")
    panel_title(ax, r"power law $\beta = 1.5$, $r = 0.7$, $d = 100$, $T = 80$, $T_0 = 200$")
    ax.set(xlabel=r"number of generators $n$", ylabel=RISK)
    ax.legend()
    return fig


def fig_powerlaw_crossover(results):
    """The clean law, and the rise behind the crossover."""
    fig, (ax,) = figure(width=5.6)
    overlay(ax, results["crossover"], "risk", x="T", series="generations", label=GENERATORS)
    ax.axvline(float(results["position"].samples.crossover), color="0.5", linestyle=":", linewidth=1.2,
               label=r"crossover at $n = 5$")  # fmt: skip
    _learning_curve(ax, r"clean ridge $\lambda = T^{-0.6}$")
    return fig


def fig_adaptive_ridge(results):
    """The corrected ridge against the clean one."""
    fig, (ax,) = figure(width=5.6)
    overlay(ax, results["crossover"], "risk", x="T", series="generations", only=(0, 5), total=3,
            label=r"clean ridge, $n = {}$")  # fmt: skip
    overlay(ax, results["adaptive"], "risk", x="T", series="generations", offset=2, label=r"corrected ridge, $n = {}$")
    _learning_curve(ax, r"ridge corrected for $n = 5$")
    return fig


def fig_exponents(results):
    """Theory alone: the decay for generators of T^c samples."""
    fig, axes = figure(2, sharey=True)
    for ax, tuning in zip(axes, ("clean", "corrected")):
        overlay(ax, results["exponents"], "risk", x="T", series="c", where={"tuning": tuning}, label=r"$c = {}$")
        panel_title(ax, f"{tuning} ridge (formula only)")
        log_axes(ax)
        ax.set(xlabel=r"samples $T$")
    axes[0].set_ylabel(RISK)
    axes[0].legend(title=r"$T_0 = T^c$", loc="lower left")
    return fig


def _learning_curve(ax, title):
    panel_title(ax, title + r"; $\beta = 1.5$, $r = 0.5$, $d = 300$, $T_0 = 600$")
    log_axes(ax)
    ax.set(xlabel=r"samples $T$", ylabel=RISK)
    ax.legend()
