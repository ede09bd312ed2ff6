"""Figures of `off_policy_reinforce`: learning from the responses of another policy."""

from theorylab.plotting.overlay import figure, log_axes, overlay, panel_title

NAMES = {
    "naive": "naive",
    "truncated": "all ratios truncated",
    "tapered": "tapered",
    "positives": "right responses alone",
}
STEPS = "gradient steps $t$"


def fig_stability(results):
    """Naive gradients part the logits linearly, and may end at a wrong response."""
    fig, axes = figure(4, width=3.9)
    panels = (("max_logit", 0.5, 0.0), ("reward", 0.5, 0.0), ("reward", 0.15, 4.0))
    for ax, (name, p, start) in zip(axes, panels):
        _by_gradient(ax, _observed(results["training"]), name, "steps", NAMES, p=p, start=start)
        ax.set(xlabel=STEPS, ylabel="largest logit" if name == "max_logit" else "expected reward", xscale="log")
        panel_title(ax, f"{p:.0%} of the data right, {'wrong' if start else 'uniform'} start (no theory)")
    axes[0].set_yscale("log")
    overlay(
        axes[3], results["training"], "rate", x="p", where={"gradient": "naive", "start": 0.0}, label="naive", total=4
    )
    for place, gradient in enumerate(("truncated", "tapered", "positives"), 1):
        overlay(axes[3], results["training"], "rate", x="p", where={"gradient": gradient, "start": 0.0},
                label=NAMES[gradient], offset=place, total=4)  # fmt: skip
    axes[3].set(
        xlabel="share of right responses in the data", ylabel="growth of the logit gap per step", ylim=(0, None)
    )
    panel_title(axes[3], "second half of 2000 steps (theory: naive)")
    for ax in (axes[0], axes[3]):
        ax.legend()
    return fig


def fig_limit(results):
    """Tapered policies tend to the right responses in proportion to the data; wrong ones decay as 1/t."""
    fig, axes = figure(3, width=4.2)
    policy = {"gradient": "tapered", "start": 0.0}
    for place, response in enumerate((1, 2)):
        overlay(axes[0], results["training"], "final_policy", x="p", where={**policy, "response": response},
                label=f"tapered, response {response}", offset=place, total=4)  # fmt: skip
        overlay(axes[0], results["training"], "final_policy", x="p", where={**policy, "gradient": "naive",
                "response": response}, label=f"naive, response {response}", offset=place + 2, total=4)  # fmt: skip
    axes[0].set(xlabel="share of right responses in the data", ylabel="final probability", ylim=(-0.03, 1.03))
    panel_title(axes[0], "the two right responses")
    for ax, p in zip(axes[1:], (0.15, 0.8)):
        _by_gradient(ax, results["training"], "wrong", "steps", ("truncated", "tapered", "positives"), p=p, start=0.0)
        log_axes(ax)
        ax.set(xlabel=STEPS, ylabel="probability of wrong responses", ylim=(4e-4, 1.4))
        panel_title(ax, f"{p:.0%} of the data right (lines: large $t$)")
    for ax in axes[:2]:
        ax.legend()
    return fig


def fig_baseline(results):
    """A baseline changes the effective share of right examples."""
    fig, (ax,) = figure(width=5.4)
    overlay(ax, results["baseline"], "share", x="c", series="p", label="$p = {}$")
    ax.set(xlabel="baseline $c$", ylabel="effective share of right examples", ylim=(0, 1))
    ax.legend()
    return fig


def _by_gradient(ax, result, name, x, gradients, **where):
    for place, gradient in enumerate(NAMES):
        if gradient in gradients:
            overlay(
                ax,
                result,
                name,
                x=x,
                where={"gradient": gradient, **where},
                label=NAMES[gradient],
                offset=place,
                total=4,
            )


def _observed(result):
    """A result whose measurements are drawn without theory."""
    return type(result)(samples=result.samples, theory=None, over=result.over)
