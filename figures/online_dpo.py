"""Figures of `online_dpo`: expected reward against divergence along runs of online preference optimisation."""

from theorylab.plotting.overlay import MARKERS, colours, figure, panel_title

NAMES = {"pilaf_half": "PILAF", "vanilla": "vanilla", "hybrid": "hybrid", "best_of_n": "best of 8"}
OBJECTIVE = r"$J = E\, r^* - \beta\, \mathrm{KL}$"
DIVERGENCE = r"$\mathrm{KL}(\pi \,\|\, \pi_{\mathrm{ref}})$"


def fig_reward_kl(results):
    """Schemes without a ranking climb to one frontier, PILAF a little faster than vanilla sampling."""
    fig, (plane, time, mean) = figure(3, width=4.8, height=4.2)
    runs, exact = results["runs"], results["instances"]
    _frontier(plane, results, 0)
    value, divergence, objective = (runs.mean(name).sel(pairs=64) for name in ("reward", "divergence", "objective"))
    for scheme, colour, marker in _curves():
        at = dict(scheme=scheme)
        plane.plot(runs.theory.divergence.sel(at), runs.theory.reward.sel(at), color=colour, linewidth=1.2)
        plane.plot(divergence.sel(at), value.sel(at), marker, color=colour, markersize=4.5, label=NAMES[scheme])
        time.plot(runs.theory.steps, runs.theory.objective.sel(at), color=colour, linewidth=1.2)
        error = 2 * runs.sem("objective").sel(pairs=64, **at)
        time.errorbar(objective.steps, objective.sel(at), error, fmt=marker, color=colour, markersize=4.5)
        missing = exact.samples.best.sel(at) - exact.samples.objective.sel(at)
        mean.plot(missing.steps, missing.mean("replicate"), marker=marker, color=colour, markersize=4.5, linewidth=1)
    plane.set(xlabel=DIVERGENCE, ylabel=r"$E\, r^*$", xlim=(-0.05, 1.3), ylim=(0.2, 1.4))
    time.set(xlabel="step", ylabel=OBJECTIVE)
    mean.set(xlabel="step", ylabel="$J^* - J$", yscale="log")
    plane.legend(loc="lower right")
    panel_title(plane, "one problem; lines: exact gradients")
    panel_title(time, r"the same: 64 pairs per step, $\beta = 0.5$")
    panel_title(mean, "random problems, exact gradients, means")
    return fig


def fig_overfitted_start(results):
    """From a policy that is fitted to fifty labels and sharpened, hybrid pairs recover; the others hardly do."""
    fig, (plane, time) = figure(2, width=5.2, height=4.2)
    runs = results["overfitted"]
    _frontier(plane, results, -1)
    for scheme, colour, marker in _curves():
        value, divergence, objective = (
            runs.mean(name).sel(scheme=scheme) for name in ("reward", "divergence", "objective")
        )
        plane.plot(divergence, value, marker=marker, color=colour, markersize=4.5, linewidth=0.8, label=NAMES[scheme])
        time.errorbar(objective.steps, objective, 2 * runs.sem("objective").sel(scheme=scheme), fmt=marker,
                      color=colour, markersize=4.5, linewidth=0.8)  # fmt: skip
    plane.set(xlabel=DIVERGENCE, ylabel=r"$E\, r^*$")
    time.set(xlabel="step", ylabel=OBJECTIVE)
    plane.legend(loc="lower right")
    panel_title(plane, "random problems, overfitted start, every 20 steps")
    panel_title(time, r"64 pairs per step, $\beta = 0.5$")
    return fig


def _frontier(ax, results, which):
    best = results["frontier"].theory.isel(prompts=which)
    ax.plot(best.divergence, best.reward, color="black", linewidth=1.6, label="frontier: exact tilts")


def _curves():
    return list(zip(NAMES, colours(len(NAMES)), MARKERS))
