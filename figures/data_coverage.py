"""The figure of `data_coverage`: what offline preference data lose, and how far a divergence ball reaches."""

from theorylab.plotting.overlay import MARKERS, colours, figure, log_axes, overlay, panel_title, theory_line

BETA = 0.5


def fig_value_gap(results):
    """Loss against the mass outside the data, in two instances; density ratios in a ball."""
    fig, axes = figure(3, width=4.2, height=3.8)
    online = results["online"]
    for ax, instance in zip(axes, (0, 1)):
        overlay(ax, results["offline"], "gap", x="uncovered", series="shift", where={"instance": instance},
                label="DPO, shift {:g}", total=4)  # fmt: skip
        mean = online.mean("gap").sel(instance=instance, shift=4.0)
        ax.plot(mean.uncovered, mean, linestyle="--", linewidth=1, marker=MARKERS[3], color=colours(4)[3], markersize=6,
                markerfacecolor="none", label="DPO + 0.01 KL, any shift (no theory)")  # fmt: skip
        theory_line(ax, results["worst"], "worst", x="uncovered", where={"instance": instance}, color="0.4",
                    linestyle=":", linewidth=2.2, label="worst")  # fmt: skip
        ax.set(
            xscale="log", yscale="log", xlabel="reference mass outside the data", ylabel="$J^* - J$", ylim=(1e-5, 30)
        )
        panel_title(ax, rf"instance {instance}, $\beta = {BETA}$")
    axes[0].legend(loc="lower right", fontsize=7)
    ax = axes[2]
    overlay(ax, results["ball"], "coverage", x="eps", series="p", label="$p = {}$")
    for p, colour in zip(results["ball"].samples.p.values, colours(3)):
        ax.axhline(1 / p, color=colour, linestyle=":", linewidth=1.2)
    log_axes(ax)
    ax.set(
        xlabel=r"radius $\epsilon$ of the ball, KL$(\pi$ || ref$) \leq \epsilon$", ylabel=r"largest $\pi(y)/$ref$(y)$"
    )
    panel_title(ax, "coverage in a ball; dotted: global coverage $1/p$")
    ax.legend()
    return fig
