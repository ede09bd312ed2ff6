"""Figures of `best_of_n`: divergence from the reference and win rate, against n."""

from theorylab.plotting.overlay import figure, log_axes, overlay, panel_title

ALPHABETS = (
    ("binary", "12 responses, half of them right"),
    ("tied", "12 responses, rewards 0..4"),
    ("hundred", "100 equal responses: all agree"),
)


def fig_kl(results):
    """The exact divergence saturates; the bound grows like log n; the estimator lies in between."""
    fig, axes = figure(3, width=3.4, sharey=True)
    for ax, (alphabet, title) in zip(axes, ALPHABETS):
        where = {"alphabet": alphabet}
        data = results["law"].mean("estimate_levels").sel(alphabet=alphabet)
        n = data.n_best
        bound = results["ceiling"].theory.bound
        ax.plot(bound.n_best, bound, "--", color="0.3", linewidth=1.2, label=r"bound $\log n - (n-1)/n$")
        overlay(ax, results["law"], "kl", x="n_best", where=where, label="exact", total=3)
        overlay(ax, results["law"], "estimate", x="n_best", where=where, label="estimator", offset=1, total=3)
        ax.plot(n, data, "x", color="tab:red", markersize=5, label="estimator by levels")
        ax.set_xscale("log", base=2)
        ax.set(xlabel="$n$", xticks=(1, 2, 4, 8, 16, 32, 64), xticklabels=(1, 2, 4, 8, 16, 32, 64))
        panel_title(ax, title)
    axes[0].set_ylabel("KL(best-of-$n$ || reference)")
    axes[0].legend(loc="upper left")
    return fig


def fig_win_rate(results):
    """At equal divergence the tilt wins more often, but hardly."""
    fig, axes = figure(2)
    overlay(axes[0], results["contest"], "win", x="n_best", series="law", label="{} rewards")
    axes[0].set_xscale("log", base=2)
    axes[0].set(xlabel="$n$", ylabel="win rate of best-of-$n$", xticks=(1, 4, 16, 64), xticklabels=(1, 4, 16, 64))
    panel_title(axes[0], "one formula for every law of the reward")
    axes[0].legend()
    duel, kl = results["duel"], results["equal"].theory.kl
    axes[1].plot(results["equal"].curve.kl, results["equal"].curve.tilt, color="0.2", label="tilt (theory)")
    axes[1].plot(kl, duel.mean("best"), "s", markersize=4.5, label="best-of-$n$ (simulation)")
    axes[1].plot(kl, duel.mean("tilt"), "x", color="tab:red", markersize=5, label="tilt (simulation)")
    axes[1].set(xlabel="KL to the reference", ylabel="win rate", ylim=(0.5, 1.01))
    axes[1].legend(loc="upper left")
    inset = axes[1].inset_axes((0.52, 0.14, 0.45, 0.42))
    gap = duel.theory.tilt - duel.theory.best
    inset.plot(gap.n_best, gap, color="0.2", linewidth=1)
    inset.plot(gap.n_best, duel.mean("tilt") - duel.mean("best"), "o", color="0.2", markersize=3)
    log_axes(inset)
    inset.set_xlabel("$n$", fontsize=7, labelpad=0)
    inset.set_title("tilt $-$ best-of-$n$", fontsize=7)
    inset.tick_params(labelsize=7)
    return fig
