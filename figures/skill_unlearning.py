"""Figures of `skill_unlearning`: greatest common divisors, learned from true labels and from those of a teacher."""

from theorylab.plotting.overlay import MARKERS, colours, figure, log_axes, overlay, panel_title

SHARE = r"true labels $\pi = {:g}$"


def fig_skills(results):
    """Students of a teacher stay at its level; true labels go on adding skills."""
    fig, axes = figure(3, width=4.4)
    result = results["train"]
    for ax, name, quantity in (
        (axes[0], "skills", "skills: gcds right in 9 of 10 pairs"),
        (axes[1], "weighted_error", r"error, gcd $g$ weighted by $g^{-2}$"),
    ):
        for pi, colour, marker in _shares(result):
            mean, sem = (part.sel(pi=pi) for part in (result.mean(name), result.sem(name)))
            ax.errorbar(mean.steps, mean, 2 * sem, color=colour, marker=marker, markersize=4.5, capsize=2,
                        linewidth=0.8, elinewidth=1, label=SHARE.format(pi))  # fmt: skip
        ax.axhline(float(result.theory[name].sel(pi=0)), color="0.2", linewidth=1.4, label="divisors of the base")
        ax.axhline(float(result.mean(f"teacher_{name}")), color="0.5", linestyle="--", linewidth=1.2, label="teacher")
        ax.set(xlabel="training steps of the student", ylabel=quantity)
        ax.set_xscale("log")
        steps = [int(mark) for mark in result.samples.steps.values if mark not in (300, 600, 1000)]
        ax.set_xticks(steps, list(map(str, steps)))
        ax.minorticks_off()
    axes[1].set_yscale("log")
    axes[0].legend()
    panel_title(axes[0], "skills of students")
    panel_title(axes[1], "a plateau, left when most labels are true")
    error = (0.05, 0.06, 0.07, 0.08, 0.1, 0.12, 0.15)
    axes[1].set_yticks(error, list(map(str, error)))
    axes[1].minorticks_off()
    _by_gcd(axes[2], result)
    return fig


def _by_gcd(ax, result):
    """Which gcds a student knows in the end."""
    known = result.theory.by_gcd.sel(pi=0)
    ax.vlines(known.gcd[known > 0.5], 0, 1, color="0.85", linewidth=5, label="divisors of the base")
    for pi, colour, marker in _shares(result):
        if pi in (0, 1):
            mean, sem = (part.sel(pi=pi) for part in (result.mean("by_gcd"), result.sem("by_gcd")))
            ax.errorbar(mean.gcd, mean, 2 * sem, color=colour, marker=marker, markersize=4.5, capsize=2, linewidth=0,
                        elinewidth=1, label=SHARE.format(pi))  # fmt: skip
    ax.set(xlabel="gcd of the pair", ylabel="accuracy at the end")
    ax.legend(loc="center right")
    panel_title(ax, "what is never learned from generated labels")


def _shares(result):
    points = [float(pi) for pi in result.samples.pi.values]
    return list(zip(points, colours(len(points)), MARKERS))


def fig_coverage(results):
    """How many different labels a student gets to see."""
    fig, (ax,) = figure(width=5.2)
    overlay(ax, results["coverage"], "coverage", x="T", series="pi", label=SHARE)
    log_axes(ax, "x")
    ax.set(xlabel="labels $T$ (points of a curve share their draws)", ylabel="different labels", ylim=(0, 31))
    ax.legend()
    panel_title(ax, "the others from a teacher that reads last digits")
    return fig
