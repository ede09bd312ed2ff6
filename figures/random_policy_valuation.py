"""Figures of `random_policy_valuation`: acting on the values of the uniform policy on a tree."""

from theorylab.plotting.overlay import figure, overlay, panel_title

REWARDED = "{} of 81 leaves"


def fig_success(results):
    """A low temperature finds rewards nearly always, a moderate one many different ones."""
    fig, axes = figure(4, width=3.9)
    panels = zip(
        axes, ("success", "entropy", "distinct"), ("success probability", "leaf entropy (nats)", "found by 16 draws")
    )
    for ax, name, quantity in panels:
        overlay(ax, results["softmax"], name, x="temperature", series="rewarded", where={"k": 16}, label=REWARDED)
        ax.set(ylabel=quantity)
    overlay(axes[3], results["floor"], "success", x="temperature", series="rewarded", label="{} of 243 leaves")
    axes[3].set(ylabel="success probability", ylim=(0.4, 1.05))
    titles = ("rewards found", "diversity of all leaves", "distinct solutions", "lower bound (lines) and success")
    for ax, title in zip(axes, titles):
        panel_title(ax, title)
        ax.set(xscale="log", xlabel="temperature")
    axes[3].set_xlim(0.005, 0.4)
    axes[0].legend()
    axes[3].legend()
    return fig


def fig_greedy(results):
    """One rewarded episode is enough for the greedy policy, but rewards must be right or wrong."""
    fig, axes = figure(2)
    overlay(axes[0], results["rollouts"], "success", x="episodes", series="rewarded", label=REWARDED)
    axes[0].set(xscale="log", xlabel="episodes of the uniform policy $n$", ylabel="success of the greedy policy")
    panel_title(axes[0], "values averaged over episodes")
    curves = (
        ("reward", False, "greedy leaf = best leaf, rewards 0 or 1"),
        ("reward", True, "greedy leaf, graded rewards"),
        ("best", True, "best leaf, graded rewards"),
    )
    for place, (name, graded, label) in enumerate(curves):
        where = {"graded": graded, "share": 0.3}
        overlay(axes[1], results["greedy"], name, x="H", where=where, label=label, offset=place, total=3)
    axes[1].set(xlabel="depth $H$", ylabel="mean reward", xticks=(3, 4, 5))
    panel_title(axes[1], "learned values, 30% of leaves rewarded (no theory)")
    for ax in axes:
        ax.legend()
    return fig
