"""Figures of `kernel_collapse`: chains of kernel ridge regressions on handwritten digits."""

from theorylab.plotting.overlay import figure, log_axes, overlay, panel_title

ERROR = "test error on all digits"
GENERATORS = r"$n = {}$"


def fig_lambda_sweep(results):
    """The best ridge drifts to the right with the number of generators."""
    fig, (ax,) = figure(width=5.6)
    overlay(ax, results["ridge"], "risk", x="lam", series="generations", label=GENERATORS)
    panel_title(ax, r"digits, RBF kernel, $T = T_0 = 400$, $\lambda_0 = 10^{-3}$, $\sigma = \sigma_0 = 0.2$")
    ax.set(xscale="log", xlabel=r"ridge $\lambda$", ylabel=ERROR)
    ax.legend(title="generators")
    return fig


def fig_crossover(results):
    """Clean labels keep improving the fit, a chain of generators flattens the curve."""
    fig, axes = figure(2, sharey=True)
    for ax, kernel, name in zip(axes, ("rbf", "poly"), ("RBF", "polynomial")):
        overlay(ax, results["crossover"], "risk", x="T", series="generations", where={"kernel": kernel},
                label=GENERATORS)  # fmt: skip
        panel_title(ax, rf"digits, {name} kernel, $\lambda = 1/T$, $T_0 = 400$")
        log_axes(ax)
        ax.set(xlabel=r"samples $T$")
    axes[0].set_ylabel(ERROR)
    axes[0].legend(title="generators")
    return fig
