"""Figures of `accumulate_replace`: the error of least squares along a sequence of fits."""

from math import pi

from theorylab.plotting.overlay import figure, overlay, panel_title

FIRST = "risk in units of the first"
NAMES = {"replace": "replace", "accumulate": "accumulate", "accumulate_shared": "accumulate, one design"}


def fig_risk_vs_fits(results):
    """Replacing grows linearly; accumulating and a fixed budget from the pool saturate."""
    fig, axes = figure(2)
    for ax in axes:
        overlay(ax, results["pool"], "risk", x="fits", where={"T": 200}, label="budget from the pool, $d/T = 0.04$")
        overlay(ax, results["risk"], "risk", x="fits", series="strategy", only=list(NAMES), offset=1)
        ax.set(xlabel="fit $n$", xticks=(1, 5, 10, 15, 20))
    _ceiling(axes[1], pi**2 / 6, r"$\pi^2/6$")
    _ceiling(axes[1], pi**2 / 2 - 2, r"$\pi^2/2 - 2$")
    axes[0].set(ylabel=FIRST, ylim=(0, None))
    axes[1].set_ylim(0.9, 3.2)
    handles, labels = axes[0].get_legend_handles_labels()
    axes[0].legend(handles, [NAMES.get(label, label) for label in labels])
    panel_title(axes[0], r"$d/T = 1/3$ unless noted, equal noise")
    panel_title(axes[1], "the same, enlarged")
    return fig


def fig_limit_ratio(results):
    """The bound pi^2/6 is tight only where every block has many more rows than dimensions."""
    fig, (ax,) = figure(width=5.6)
    overlay(ax, results["limit"], "limit", x="d_per_T", label="infinitely many fits (formula)")
    overlay(ax, results["ratio"], "risk", x="d_per_T", where={"fits": 20}, label="20 fits", offset=1)
    _ceiling(ax, pi**2 / 6, r"$\pi^2/6$")
    panel_title(ax, "accumulated blocks of fresh inputs, $d = 20$")
    ax.set(xlabel="$d/T$", ylabel=FIRST, xlim=(0, 1), ylim=(0.95, 1.72))
    ax.legend(loc="lower left")
    return fig


def fig_noise_schedule(results):
    """Noise that grows with the fits: bounded below the square root."""
    fig, (ax,) = figure(width=5.6)
    overlay(ax, results["schedule"], "risk", x="fits", series="p", label=r"$\sigma_i = i^{{{}}}$")
    panel_title(ax, r"accumulated blocks of fresh inputs, $d = 20$, $T = 60$")
    ax.set(xscale="log", xlabel="fit $n$", ylabel="excess risk", ylim=(0, None))
    ax.legend()
    return fig


def _ceiling(ax, value, name):
    ax.axhline(value, color="0.5", linestyle=":", linewidth=1.2)
    ax.text(0.995, value, name, transform=ax.get_yaxis_transform(), ha="right", va="bottom", color="0.35")
