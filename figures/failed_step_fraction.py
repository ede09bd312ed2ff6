"""Figures of `failed_step_fraction`: what a trace says about its answer."""

from theorylab.plotting.overlay import colours, figure, overlay, panel_title

KEYS = {"s": "failed-step share $s$", "L": "length $L$", "RR": "review ratio $RR$"}


def fig_correlation(results):
    """Failed steps predict correctness best; given their share, reviews say nothing more."""
    fig, axes = figure(3, width=4.2, sharey=True)
    names = ("corr_s", "corr_L", "corr_RR", "partial_L", "partial_RR")
    labels = ("$s$", "$L$", "$RR$", "$L \\,|\\, s$", "$RR \\,|\\, s$")
    for ax, J in zip(axes, (1, 2, 4)):
        for phi, shift, colour, marker in zip((0.2, 0.35, 0.5), (-0.22, 0, 0.22), colours(3), "osD"):
            _ticks(ax, results["within"], names, shift, colour, marker, f"$\\varphi = {phi}$", phi=phi, J=J)
        for place, name in enumerate(("spearman_s", "spearman_L", "spearman_RR")):
            value = results["within"].mean(name).sel(phi=0.35, J=J)
            label = None if place else r"ranks, $\varphi = 0.35$ (no theory)"
            ax.plot(place + 0.38, value, "x", color="0.4", markersize=5, label=label)
        ax.axhline(0, color="0.6", linewidth=0.8)
        ax.set(xticks=range(5), xticklabels=labels)
        panel_title(ax, f"$J = {J}$")
    axes[0].set_ylabel("correlation with a correct answer")
    axes[0].legend(loc="lower right")
    return fig


def fig_questions(results):
    """Over many questions the correlations are stronger, and intervals must take whole questions for independent."""
    fig, axes = figure(3, width=4.2)
    observed = _observed(results["benchmark"])
    for ax, scope, title in zip(axes, ("within", "pooled"), ("averages within a question", "all traces together")):
        for place, name in enumerate(("s", "L", "RR")):
            overlay(ax, observed, f"{scope}_{name}", x="questions", label=KEYS[name], offset=place, total=3)
            ax.axhline(results["benchmark"].theory[f"{scope}_{name}"], color=colours(3)[place], linewidth=1.4)
        ax.set(ylabel="correlation with a correct answer", ylim=(-0.7, -0.2))
        panel_title(ax, title + " (lines: many questions)")
    for place, (name, label) in enumerate((("naive", "traces independent"), ("clustered", "questions independent"))):
        overlay(axes[2], observed, f"covered_{name}", x="questions", label=label, offset=place, total=3)
    axes[2].axhline(0.954, color="0.5", linestyle=":", linewidth=1.2)
    axes[2].set(ylabel="coverage of two standard errors", ylim=(0, 1.02))
    panel_title(axes[2], "intervals for the pooled correlation (no theory)")
    for ax in axes:
        ax.set(xlabel="questions $Q$, $10 Q$ traces each", xscale="log", xticks=(8, 16, 32), xticklabels=(8, 16, 32))
        ax.minorticks_off()
        ax.legend()
    return fig


def fig_selection(results):
    """The trace with the fewest failed steps, in proportion, is the best of N."""
    fig, (ax,) = figure(width=5.6)
    names = {"by_s": "smallest $s$", "by_L": "shortest", "by_RR": "smallest $RR$"}
    for place, (name, label) in enumerate(names.items()):
        overlay(
            ax, results["selection"], name, x="n_candidates", where={"phi": 0.35}, label=label, offset=place, total=4
        )
    observed = _observed(results["selection"])
    overlay(ax, observed, "random", x="n_candidates", where={"phi": 0.35}, label="any", offset=3, total=4)
    ax.axhline(float(results["selection"].theory["random"].sel(phi=0.35)), color=colours(4)[3], linewidth=1.4)
    counts = (1, 2, 4, 8, 16, 32, 64)
    ax.set_xscale("log", base=2)
    ax.set(xlabel="candidates $N$", ylabel="accuracy of the chosen trace (pass@1)", ylim=(0.2, 0.95),
           xticks=counts, xticklabels=counts)  # fmt: skip
    panel_title(ax, r"$\varphi = 0.35$, $J = 2$, $p_0 = 0.9$")
    ax.legend()
    return fig


def fig_editing(results):
    """Deleting what failed restores the accuracy; whole branches do more than their share of the text."""
    fig, axes = figure(2, sharey=True)
    titles = {"text": "a share $q$ of the text of failed steps", "branches": "a share $q$ of all failed branches"}
    for ax, (name, title) in zip(axes, titles.items()):
        overlay(ax, results["editing"], name, x="q", series="J", where={"phi": 0.35}, label="$J = {}$")
        ax.axhline(0.9, color="0.5", linestyle=":", linewidth=1.2)
        ax.set(xlabel="deleted share $q$", ylim=(0, 1))
        panel_title(ax, title)
    axes[0].set_ylabel("accuracy")
    axes[0].legend(loc="lower right")
    return fig


def fig_accuracy_curve(results):
    """Accuracy falls steeply with the share of failed steps, less with length and reviews."""
    fig, axes = figure(3, width=4.2, sharey=True)
    panels = zip(axes, KEYS.items(), ("0.1", "4", "0.1"))
    for place, (ax, (name, label), width) in enumerate(panels):
        overlay(ax, results["curves"], f"by_{name}", x=name, where={"phi": 0.35}, offset=place, total=3)
        ax.set(xlabel=f"{label}, interval of width {width} from here", ylim=(0, 1))
    axes[0].set_ylabel("accuracy")
    panel_title(axes[0], r"$p_0 (1 - s)^J$, averaged over each interval ($\varphi = 0.35$, $J = 2$)")
    return fig


def _ticks(ax, result, names, shift, colour, marker, label, **where):
    """Theory as a tick, simulation as a marker with two standard errors, one place for each name."""
    for place, name in enumerate(names):
        x, mean, sem = place + shift, *(get(name).sel(where) for get in (result.mean, result.sem))
        ax.hlines(result.theory[name].sel(where), x - 0.1, x + 0.1, color=colour, linewidth=1.4)
        ax.errorbar(x, mean, 2 * sem, fmt=marker, color=colour, markersize=4.5, capsize=2, linewidth=0, elinewidth=1,
                    label=None if place else label)  # fmt: skip


def _observed(result):
    """A result whose measurements are drawn without theory."""
    return type(result)(samples=result.samples, theory=None, over=result.over)
