"""Figures of `preference_gradient_alignment`: how parallel preference learning is to the objective."""

from theorylab.plotting.overlay import colours, figure, panel_title

CURVES = (
    ("t_pilaf", True, "T-PILAF, prompt weights", "o"),
    ("t_pilaf", False, "T-PILAF, no weights", "s"),
    ("pilaf_half", False, "PILAF (one half)", "D"),
    ("vanilla", False, "vanilla", "^"),
    ("hybrid", False, "hybrid", "v"),
    ("best_of_n", False, "best of 8", "P"),
)


def fig_alignment(results):
    """Near the optimum PILAF alone becomes parallel; far from it vanilla sampling is as good."""
    fig, (near, far) = figure(2, width=5.6, height=4.2)
    samples = results["near"].samples
    for (scheme, weighted, name, marker), colour in zip(CURVES, colours(len(CURVES))):
        values = samples.misalignment.sel(scheme=scheme, weighted=weighted)
        _band(near, values, colour, marker, name)
    eps = samples.eps.values
    near.plot(eps[:9], 0.1 * eps[:9] ** 2, ":", color="0.3", label="slope 2")
    near.set(xscale="log", yscale="log", xlabel=r"distance to the optimum $\epsilon$", ylabel=r"$1 - \cos$",
             ylim=(1e-10, 60))  # fmt: skip
    near.legend(ncols=2, loc="upper left")
    panel_title(near, "near the optimum: median, 10 to 90 % of instances")
    schemes = [curve for curve in CURVES if curve[:2] != ("t_pilaf", True)]
    for place, ((scheme, _, _, marker), colour) in enumerate(zip(schemes, colours(len(CURVES))[1:])):
        values = results["far"].samples.misalignment.sel(scheme=scheme, weighted=False).isel(eps=0)
        low, middle, high = (float(values.quantile(q)) for q in (0.1, 0.5, 0.9))
        far.errorbar(place, middle, [[middle - low], [high - middle]], fmt=marker, color=colour, capsize=3)
        far.plot(place, float(values.mean()), "_", color=colour, markersize=16)
    far.set(yscale="log", ylabel=r"$1 - \cos$", ylim=(1e-4, 1), xlim=(-0.6, len(schemes) - 0.4))
    far.set_xticks(range(len(schemes)), ["T-PILAF", "PILAF\n(one half)", "vanilla", "hybrid", "best of 8"])
    panel_title(far, "far from the optimum (one prompt): the same, and means (bars)")
    return fig


def fig_remainder(results):
    """The remainder of PILAF's gradient is of second order, below the explicit bound."""
    fig, (ax,) = figure(width=5.6, height=4.2)
    samples = results["near"].samples
    shown = colours(3)
    _band(ax, samples.residual.sel(scheme="t_pilaf", weighted=True), shown[0], "o", "T-PILAF, prompt weights")
    _band(ax, samples.residual.sel(scheme="t_pilaf", weighted=False), shown[1], "s", "T-PILAF, no weights")
    bound = samples.bound
    ax.plot(bound.eps, bound.median("replicate"), color=shown[0], linewidth=1.6, label="bound (weights)")
    ax.fill_between(bound.eps, bound.quantile(0.1, "replicate"), bound.quantile(0.9, "replicate"),
                    color=shown[0], alpha=0.08, linewidth=0)  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel=r"distance to the optimum $\epsilon$",
           ylabel=r"$\| \nabla L + (\beta / \bar Z) \nabla J \|$")  # fmt: skip
    panel_title(ax, "median, 10 to 90 % of instances")
    ax.legend(loc="upper left")
    return fig


def _band(ax, values, colour, marker, name):
    low, middle, high = (values.quantile(q, "replicate") for q in (0.1, 0.5, 0.9))
    ax.fill_between(values.eps, low, high, color=colour, alpha=0.12, linewidth=0)
    ax.plot(values.eps, middle, marker=marker, color=colour, markersize=4.5, linewidth=0.8, label=name)
