"""Figures of `preference_estimation`: what a policy loses that is fitted to labelled pairs."""

from theorylab.plotting.overlay import MARKERS, colours, figure, log_axes, overlay, panel_title

NAMES = {"t_pilaf": "T-PILAF", "pilaf_half": "PILAF (one half)", "vanilla": "vanilla", "hybrid": "hybrid",
         "best_of_n": "best of 3"}  # fmt: skip
SHOWN = ("t_pilaf", "vanilla", "hybrid", "best_of_n")


def fig_value_gap(results):
    """The gap falls as 1/n, with a factor that the scheme decides; PILAF's is not the smallest."""
    fig, (ax,) = figure(width=5.8, height=4.2)
    overlay(ax, results["fit"], "gap", x="n", series="scheme")
    ax.set(xscale="log", yscale="log", xlabel="labelled pairs $n$", ylabel=r"$J^* - J(\hat\theta)$")
    pairs = results["fit"].samples.n.values
    ax.set_xticks(pairs, [f"{n:g}" for n in pairs])
    ax.set_xticks([], minor=True)
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(handles, [NAMES[label] for label in labels])
    panel_title(ax, r"five responses, $\beta = 1$; lines: $\mathrm{tr}(\Sigma\Omega) / (2 \beta n)$")
    return fig


def fig_covariance(results):
    """PILAF's covariance is the inverse curvature of the objective; others are not."""
    fig, (ax,) = figure(width=5.8, height=4.2)
    fit, shape = results["fit"], results["shape"].theory
    mean, sem = (part("square").isel(n=-1) for part in (fit.mean, fit.sem))
    pilaf = shape.sel(scheme="t_pilaf")
    curvature = pilaf.curvature
    for scheme, colour, marker in zip(SHOWN, colours(len(SHOWN)), MARKERS):
        ax.plot(curvature, shape.variance.sel(scheme=scheme), color=colour, linewidth=1.4)
        at = dict(scheme=scheme)
        ax.errorbar(curvature, mean.sel(at), 2 * sem.sel(at), fmt=marker, color=colour, markersize=5, capsize=2,
                    label=NAMES[scheme])  # fmt: skip
    line = [float(pilaf.zbar / curvature[i]) for i in (0, -1)]
    ax.plot([curvature[0], curvature[-1]], line, ":", color="tab:red", linewidth=2, label=r"$\bar Z$ / curvature")
    ax.set(xlabel=r"curvature of $J$: eigenvalue of $\Sigma$", ylabel=r"$n \times$ variance of $\hat\theta$ along it")
    log_axes(ax)
    ax.set_xticks([0.03, 0.06, 0.1, 0.2, 0.4], ["0.03", "0.06", "0.1", "0.2", "0.4"])
    ax.set_xticks([], minor=True)
    ax.legend()
    panel_title(ax, "principal directions, $n = 64000$; lines: theory")
    return fig


def fig_sampler_ratio(results):
    """Over random instances PILAF is mostly better than vanilla sampling, and mostly worse than hybrid."""
    fig, axes = figure(4, width=3.3, sharey=True)
    gap = results["instances"].samples.gap
    edges = [10 ** (i / 5) for i in range(-15, 16)]
    for ax, beta in zip(axes, gap.beta.values):
        for scheme, colour, marker in zip(("vanilla", "hybrid"), ("tab:blue", "tab:orange"), ("", "//")):
            here = gap.sel(beta=beta)
            ratio = here.sel(scheme=scheme) / here.sel(scheme="t_pilaf")
            above = 100 * float((ratio > 1).mean())
            ax.hist(ratio.values.clip(edges[0], edges[-1]), bins=edges, alpha=0.55, color=colour, hatch=marker,
                    label=f"{NAMES[scheme]}: {above:.0f}% above 1")  # fmt: skip
        ax.axvline(1.0, color="0.3", linestyle=":", linewidth=1.2)
        ax.set(xscale="log", xlabel="value gap / that of T-PILAF", ylim=(0, 0.85 * gap.sizes["replicate"]))
        panel_title(ax, rf"formula, eight responses, $\beta = {beta:g}$")
        ax.legend()
    axes[0].set_ylabel("random instances")
    return fig
