"""Figures of `gaussian_recursion`: a Gaussian fitted again and again to its own samples."""

from theorylab.plotting.overlay import figure, overlay, panel_title

SAMPLES = r"$n = {}$"


def fig_variance(results):
    """Replacing lets the variance collapse, by the mean or only in probability; accumulating keeps it."""
    fig, axes = figure(5, width=3.0)
    panels = [
        ("replace", True, "log_var", r"$E \,\log \mathrm{var}_t$"),
        ("replace", True, "std", r"$E \, \mathrm{std}_t$"),
        ("replace", True, "var", r"$E \, \mathrm{var}_t$"),
        ("replace", False, "var", r"$E \, \mathrm{var}_t$"),
        ("accumulate", False, "var", r"$E \, \mathrm{var}_t$"),
    ]
    for ax, (strategy, unbiased, name, quantity) in zip(axes, panels):
        overlay(ax, results[strategy], name, x="refits", series="n", where={"unbiased": unbiased}, label=SAMPLES)
        panel_title(ax, strategy + (", unbiased" if unbiased else ", maximum likelihood"))
        ax.set(xscale="log", xlabel="refits $t$", ylabel=quantity)
        if name != "log_var":
            ax.set_ylim(0, 1.2)
    for limit in results["limit"].theory.limit.values:
        axes[-1].axhline(limit, color="0.5", linestyle=":", linewidth=1.2)
    axes[0].legend()
    return fig


def fig_mean_drift(results):
    """The mean walks away, saturates, or stays."""
    fig, axes = figure(4, width=3.4, sharey=True)
    panels = [(strategy, unbiased) for strategy in ("replace", "accumulate") for unbiased in (True, False)]
    for ax, (strategy, unbiased) in zip(axes, panels):
        overlay(ax, results[strategy], "mean_sq", x="refits", series="n", where={"unbiased": unbiased}, label=SAMPLES)
        panel_title(ax, strategy + (", unbiased" if unbiased else ", maximum likelihood"))
        ax.set(xscale="log", yscale="log", xlabel="refits $t$", xlim=(0.8, 130))
    axes[0].set_ylabel(r"$E (\mu_t - \mu_0)^2$ in units of $\mathrm{var}_0$")
    axes[0].legend()
    return fig
