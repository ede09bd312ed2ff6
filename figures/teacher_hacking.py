"""Figures of `teacher_hacking`: a student between its training data, its teacher and the oracle."""

from theorylab.plotting.overlay import MARKERS, colours, figure, overlay, panel_title

NAMES = ("$m^*/4$", "$m^*/2$", "$m^*$", "$4m^*$", r"$\infty$")
GOLDEN = r"golden distance $E|w - \mu_p|^2$"


def fig_proxy_golden(results):
    """Too few samples: the golden distance turns while the training proxy falls."""
    fig, axes = figure(3, width=4.0, height=3.8)
    offline = results["offline"]
    ratios = offline.samples.threshold_per_m.values
    for ratio, name, colour, marker in zip(ratios, NAMES, colours(len(ratios)), MARKERS):
        line, mean, sem = (
            data.sel(threshold_per_m=ratio)
            for data in (offline.curve, *(_both(f) for f in (offline.mean, offline.sem)))
        )
        axes[0].plot(line.training, line.golden, color=colour, linewidth=1.4)
        axes[0].errorbar(
            mean.training, mean.golden, 2 * sem.golden, 2 * sem.training, fmt=marker, color=colour, markersize=4,
            elinewidth=1, label=name,
        )  # fmt: skip
    axes[0].annotate("training", (0.55, 0.78), (0.85, 0.93), xycoords="axes fraction", ha="center", va="center",
                     color="0.35", arrowprops=dict(arrowstyle="->", color="0.35"))  # fmt: skip
    axes[0].set(xlabel=r"training proxy $E|w - \hat\mu|^2$", ylabel=GOLDEN, ylim=(0, 1.1))
    panel_title(axes[0], "one set of $m$ samples for all steps, $m^* = 128$")
    axes[0].legend(title="$m$", loc="center right")
    at_threshold = {"threshold_per_m": 1.0}
    for i, (name, label) in enumerate(
        (("golden", "golden"), ("proxy", "held-out proxy"), ("training", "training proxy"))
    ):
        overlay(axes[1], offline, name, x="steps", where=at_threshold, label=label, offset=i, total=3)
    panel_title(axes[1], "$m = m^*$: the held-out proxy turns first")
    overlay(axes[2], results["online"], "golden", x="steps", label="fresh samples, golden", total=3)
    overlay(axes[2], results["online"], "proxy", x="steps", label="fresh samples, proxy", offset=1, total=3)
    overlay(axes[2], results["overshoot"], "golden", x="steps", label="overshooting teacher, golden", offset=2, total=3)
    panel_title(axes[2], "four fresh samples per step; overshooting teacher")
    for ax in axes[1:]:
        ax.set(xlabel="step $k$", xlim=(-0.5, 52), ylim=(0, 1.1), ylabel="expected squared distance")
        ax.legend(loc="upper right")
    return fig


def fig_threshold(results):
    """The share of the training that is too much, and where it is none."""
    fig, axes = figure(2, width=4.6)
    threshold, ax = results["threshold"], axes[0]
    excess = lambda turn: (1 - turn).clip(min=0)
    line, mean, sem = threshold.curve.turn, threshold.mean("turn"), threshold.sem("turn")
    ax.plot(line.m, excess(line), linewidth=1.4, color=colours(1)[0])
    ax.errorbar(mean.m, excess(mean), 2 * sem, fmt="o", color=colours(1)[0], markersize=4.5, capsize=2, linewidth=0)
    ax.axvline(128, color="0.5", linestyle=":", linewidth=1.2)
    ax.text(134, 0.6, "$m^*$", color="0.35")
    ax.set(xscale="log", xlabel="distinct samples $m$", ylabel=r"$\max(0, 1 - s_\mathrm{golden})$", ylim=(-0.02, None))
    panel_title(ax, "Gaussian teacher")
    overlay(axes[1], results["categorical"], "hacked", x="m", series="concentration", label="oracle ~ Dirichlet({})")
    axes[1].set(xscale="log", xlabel="distinct samples $m$", ylabel="share of hacked students", ylim=(-0.05, 1.05))
    panel_title(axes[1], "smoothed categorical laws, 100 outcomes: no theory")
    axes[1].legend()
    return fig


def _both(statistic):
    """A statistic of the two distances of the first panel, as a dataset."""
    return statistic("training").to_dataset(name="training").assign(golden=statistic("golden"))
