"""Figures of `inference_aware_alignment`: win rates of post-processed responses, and the rewards that serve them."""

from theorylab.plotting.overlay import MARKERS, colours, figure, panel_title, theory_line

LARGEST = {"responses": 1024}
TICKS = (0.02, 0.05, 0.1, 0.2, 0.5)
MODES = {"best": "best-of-4", "worst": "worst-of-4"}


def fig_win_rate(results):
    """Win rate against divergence: the trained policy is ahead of every simple tilt."""
    fig, axes = figure(2, width=5.0, height=3.9)
    trained = results["trained"]
    curvatures = trained.samples.t.values
    for ax, (mode, name) in zip(axes, MODES.items()):
        line = trained.curve.sel(mode=mode)
        win, kl, tilted = (trained.mean(n).sel(mode=mode, **LARGEST) for n in ("win", "kl", "tilted_win"))
        for i, (t, colour) in enumerate(zip(curvatures, colours(len(curvatures) + 1)[1:])):
            label = "quantile itself" if t == 0 else f"exponential, $t = {t:g}$"
            ax.plot(line.kl, line.tilted_win.sel(t=t), color=colour, linewidth=1.1)
            ax.plot(kl, tilted.sel(t=t), MARKERS[i + 1], color=colour, markersize=4.5, label=label)
        ax.plot(line.kl, line.win, color=colours(2)[0], linewidth=1.8)
        ax.plot(kl, win, MARKERS[0], color=colours(2)[0], markersize=5, label="trained on it")
        ax.set_xscale("log")
        ax.set_xticks(TICKS, labels=[f"{x:g}" for x in TICKS], minor=False)
        ax.set_xticks((), minor=True)
        ax.set(xlabel="KL(policy || reference)", ylabel="win rate of " + name)
        panel_title(ax, name + ", 1024 responses")
    axes[0].legend(loc="lower right")
    return fig


def fig_transform(results):
    """The transformed rewards."""
    fig, axes = figure(2, width=4.4)
    for ax, (mode, name) in zip(axes, MODES.items()):
        mean = results["trained"].mean("transform").sel(mode=mode, **LARGEST)
        for beta, marker, colour in zip(mean.beta.values, MARKERS, colours(mean.beta.size)):
            theory_line(ax, results["lines"], "transform", x="u", where={"mode": mode, "beta": beta}, color=colour)
            ax.plot(mean.u, mean.sel(beta=beta), marker, color=colour, markersize=4.5, label=rf"$\beta = {beta}$")
        single = results["single"].theory.transform.sel(mode=mode)
        ax.plot(single.u, single, ":", color="0.4", linewidth=1.4, label="$N = 1$: the quantile")
        ax.set(xlabel="quantile $u$ of the reward", ylabel=r"transformed reward $\tilde R(u)$")
        panel_title(ax, name)
        ax.legend()
    return fig
