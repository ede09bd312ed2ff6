"""Figures of `reward_kl_frontier`: reward against divergence, and the collapse of a policy whose penalty vanishes."""

from theorylab.plotting.overlay import colours, figure, overlay, panel_title

SHOWN = (1, 2)


def fig_frontier(results):
    """The tilt is the frontier; best-of-N lies just below it, other policies further."""
    fig, axes = figure(2, width=5.0, height=4.0)
    tints = colours(4)
    for ax, instance in zip(axes, SHOWN):
        of = lambda name, group="samples": getattr(results[name], group).sel(instance=instance)  # noqa: B023
        mean = lambda name: of(name).mean("replicate")  # noqa: B023
        cloud = of("cloud").isel(replicate=slice(4))
        ax.plot(cloud.kl.values.ravel(), cloud.reward.values.ravel(), ".", color="0.75", markersize=3, zorder=0,
                label="random policies")  # fmt: skip
        curve = of("trained", "curve").sortby("beta")
        ax.plot(curve.kl, curve.reward, color=tints[0], linewidth=1.4, label="tilt (theory)")
        for name, marker, colour, label in (
            ("trained", "o", tints[0], r"trained with penalty $\beta$"),
            ("stopped", "x", tints[1], "natural gradient, stopped early"),
            ("best", "s", tints[2], r"best-of-$N$, $N = 1, 2, 4, .., 256$"),
            ("gradient", "^", tints[3], "sampled policy gradient"),
        ):
            data = mean(name)
            ax.plot(data.kl, data.reward, marker, color=colour, markersize=4.5, linewidth=0, label=label,
                    markerfacecolor="none" if name == "trained" else colour)  # fmt: skip
        ax.set(xlabel=r"KL$(\pi \| p)$", ylabel=r"reward $E_\pi r$", xlim=(-0.1, 1.15 * float(curve.kl.max())))
        panel_title(ax, f"12 responses, instance {instance}")
    axes[0].legend(loc="lower right")
    return fig


def fig_collapse(results):
    """Without penalty the policy collapses to the responses of highest reward."""
    fig, axes = figure(2)
    for ax, name in zip(axes, ("entropy", "held")):
        overlay(ax, results["trained"], name, x="beta", series="instance", label="instance {}")
        ax.set(xscale="log", xlabel=r"penalty $\beta$", ylim=(0, None))
    axes[0].set_ylabel("entropy of the policy")
    axes[1].set_ylabel("responses that hold 95% of it")
    panel_title(axes[0], "12 responses, two of the highest reward")
    axes[0].legend()
    return fig
