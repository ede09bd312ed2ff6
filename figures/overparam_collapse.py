"""Figures of `overparam_collapse`: forgetting without noise."""

from theorylab.plotting.overlay import figure, overlay, panel_title


def fig_exponential(results):
    """Fresh designs forget exponentially, a shared one only once."""
    fig, axes = figure(4, width=3.1, sharey=True)
    panels = [(sigma0, shared) for sigma0 in (0.0, 0.1) for shared in (False, True)]
    for ax, (sigma0, shared) in zip(axes, panels):
        overlay(ax, results["generator"], "risk", x="generations", series="T0",
                where={"sigma0": sigma0, "shared": shared}, label=r"$T_0 = {}$")  # fmt: skip
        panel_title(ax, ("shared design" if shared else "fresh designs") + rf", $\sigma_0 = {sigma0:g}$")
        ax.set(xlabel="generators $n$")
    axes[0].set_ylabel(r"error of the last generator, $d = 100$")
    axes[0].legend()
    return fig
