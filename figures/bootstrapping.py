"""Figures of `bootstrapping`: how to spread a budget of accepted samples over rounds."""

from theorylab.plotting.overlay import MARKERS, colours, figure, log_axes, overlay, panel_title

GAP = r"reward gap $r^* - r(\theta_t)$"


def fig_policies(results):
    """Constant rounds flatten; growing ones keep falling, the optimal exponential fastest."""
    return _gap_against(results, "kept", r"kept samples $\sum n_t$")


def fig_generation_cost(results):
    """The same against what has to be generated."""
    return _gap_against(results, "generated", r"generated samples $\sum N_t$")


def fig_budget(results):
    """The ranking of the policies is the same at every budget."""
    fig, (ax,) = figure(width=5.8, height=4.0)
    overlay(ax, results["budget"], "mse", x="budget", series="policy")
    log_axes(ax)
    panel_title(ax, r"$T = 25$ rounds, $d = 2$, $\sigma = 1$, $\kappa = 1.5$, $|\theta_0| = 5$")
    ax.set(xlabel=r"budget $\sum n_t$", ylabel=r"final error $E|\theta_T|^2$")
    ax.legend()
    return fig


def fig_growth(results):
    """A valley at 1/rho; beyond 1/rho^2 many rounds do not help."""
    fig, (ax,) = figure(width=5.8)
    overlay(ax, results["growth"], "mse", x="growth", series="T", label="$T = {}$ rounds")
    for power in (1, 2):
        growth = (1 + 1 / 1.5**2) ** power
        ax.axvline(growth, color="0.6", linestyle=":", linewidth=1)
        name = r"$1/\rho$" if power == 1 else r"$1/\rho^2$"
        ax.text(growth + 0.03, 0.98, name, transform=ax.get_xaxis_transform(), va="top", color="0.35")
    panel_title(ax, r"budget 1000, $d = 2$, $\sigma = 1$, $\kappa = 1.5$")
    ax.set(yscale="log", xlabel=r"growth per round $1 + u$", ylabel=r"final error $E|\theta_T|^2$")
    ax.legend(loc="lower right")
    return fig


def fig_failure(results):
    """Constant rounds go on missing the optimum; growing ones stop."""
    fig, (ax,) = figure(width=5.8)
    overlay(ax, results["failure"], "miss", x="rounds", series="policy")
    panel_title(ax, r"$d = 2$, $\sigma = 1$, $\kappa = 2$, $|\theta_0| = 4$, $\epsilon = 0.3$")
    ax.set(xlabel=r"rounds $T$", ylabel=r"$P(|\theta_T| > \epsilon)$", ylim=(-0.02, 1.04), xticks=range(0, 21, 4))
    ax.legend()
    return fig


def _gap_against(results, cost, label):
    result = results["policies"]
    fig, axes = figure(3, width=3.8, sharey=True)
    policies = list(result.samples.policy.values)
    mean, sem = result.mean("gap"), result.sem("gap")
    for ax, kappa in zip(axes, result.samples.kappa.values):
        for policy, colour, marker in zip(policies, colours(len(policies)), MARKERS):
            at = dict(policy=policy, kappa=kappa)
            ax.plot(result.theory[cost].sel(at)[1:], result.theory.gap.sel(at)[1:], color=colour, linewidth=1.3)
            ax.errorbar(
                result.mean(cost).sel(at)[1:], mean.sel(at)[1:], 2 * sem.sel(at)[1:], fmt=marker, color=colour,
                markersize=4, linewidth=0, elinewidth=1, label=policy,
            )  # fmt: skip
        ax.set(xscale="log", yscale="log", xlabel=label)
        panel_title(ax, rf"$\kappa = {kappa:g}$")
    axes[0].set(ylabel=GAP, ylim=(1e-5, 1.5))
    axes[0].legend(title=r"$d = 2$, $\sigma = 1$, 20 rounds")
    return fig
