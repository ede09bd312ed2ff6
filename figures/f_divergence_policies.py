"""Figures of `f_divergence_policies`: optimal policies under five divergences, and what each of them costs."""

from theorylab.plotting.overlay import MARKERS, colours, figure, panel_title

NAMES = {
    "chi2": r"$\chi^2$",
    "reverse_kl": "reverse KL",
    "jsd": "jsd",
    "alpha": r"$\alpha = 1/2$",
    "forward_kl": "forward KL",
}


def fig_policies(results):
    """At equal reward: what is left to the responses of low reward depends on the divergence by decades."""
    fig, (ax,) = figure(width=7.0, height=3.8)
    policies = results["policies"]
    for (name, label), colour, marker in zip(NAMES.items(), colours(len(NAMES)), MARKERS):
        theory = policies.theory.pi.sel(name=name)
        shown = theory.where(theory > 0)
        ax.plot(shown.outcome + 1, shown, color=colour, linewidth=1.2)
        ax.plot(shown.outcome + 1, policies.mean("pi").sel(name=name).where(theory > 0), marker, color=colour,
                markersize=5, label=label)  # fmt: skip
    ax.set(yscale="log", ylim=(1e-4, 1.5), xticks=range(1, 13), xlabel="response, in the order of its reward 0..4",
           ylabel=r"probability $\pi$")  # fmt: skip
    ax.legend(title="penalty")
    panel_title(ax, r"policies of mean reward 3; $\chi^2$ drops the responses without a point")
    return fig


def fig_frontier(results):
    """Each divergence is best at its own price only."""
    fig, axes = figure(2)
    frontier = results["frontier"]
    for ax, price, label in zip(axes, ("reverse_kl", "forward_kl"), (r"KL$(\pi \| p)$", r"KL$(p \| \pi)$")):
        for (name, text), colour, marker in zip(NAMES.items(), colours(len(NAMES)), MARKERS):
            if (price, name) == ("forward_kl", "chi2"):
                continue
            curve = frontier.curve.sel(name=name)
            ax.plot(curve[price], curve.reward, color=colour, linewidth=1.2)
            points = frontier.mean(price).sel(name=name), frontier.mean("reward").sel(name=name)
            ax.plot(*points, marker, color=colour, markersize=4.5, label=text)
        ax.set(xlabel=label, ylabel=r"reward $E_\pi r$")
    axes[1].set(xlim=(-0.1, 4.0))
    axes[0].legend(loc="lower right")
    panel_title(axes[0], "price of reverse KL")
    panel_title(axes[1], r"price of forward KL (infinite for $\chi^2$)")
    return fig
