"""Figures of `self_distillation`: what repeated distillation does to a kernel ridge fit of a sine."""

from theorylab.plotting.overlay import colours, figure, overlay, panel_title, theory_line

SHARES = ((0.0, "no true labels"), (0.35, r"share of true labels 0.35"))
STEPS = (1, 2, 5, 20, 60)


def fig_fits(results):
    """One draw: the fit collapses without true labels, and settles on a ridge fit with them."""
    fig, axes = figure(2, sharey=True)
    for ax, (share, title) in zip(axes, SHARES):
        draw = results["path"].samples.isel(replicate=0).sel(real_weight=share)
        ax.plot(draw.x, draw.labels, ".", color="0.6", markersize=4, label="labels")
        ax.plot(draw.x, draw.truth, ":", color="0.3", linewidth=1.2, label=r"$\sin 2 \pi x$")
        for steps, colour in zip(STEPS, colours(len(STEPS))):
            ax.plot(draw.x, draw.fit.sel(steps=steps), color=colour, linewidth=1.4, label=rf"$\tau = {steps}$")
        if share:
            ax.plot(draw.x, draw.ridge, "--", color="tab:red", linewidth=1.2, label="ridge, $\\lambda / 0.35$")
        panel_title(ax, title)
        ax.set(xlabel="$x$")
    axes[0].set_ylabel("fit")
    axes[1].legend(loc="upper right", ncols=2)
    return fig


def fig_filter(results):
    """Small eigenvalues are suppressed step by step, to a limited degree with true labels."""
    fig, axes = figure(2, sharey=True)
    for ax, (share, title) in zip(axes, SHARES):
        overlay(ax, results["path"], "filter", x="mode", series="steps", only=STEPS, where={"real_weight": share},
                label=r"$\tau = {}$")  # fmt: skip
        if share:
            where = {"real_weight": share}
            theory_line(ax, results["limit"], "limit", x="mode", where=where, color="tab:red", linestyle="--")
            ax.lines[-1].set_label(r"ridge, $\lambda / 0.35$")
        panel_title(ax, title)
        ax.set(yscale="log", ylim=(1e-6, 2), xlabel="eigenvalue $k$ (in descending order)", xticks=(1, 5, 10, 15, 20))
    axes[0].set_ylabel(r"filter $b_k^{(\tau)}$")
    axes[1].legend()
    return fig


def fig_risk_vs_step(results):
    """The error falls and rises again without true labels; a few of them keep the gain."""
    fig, (ax,) = figure(width=5.6)
    overlay(ax, results["risk"], "risk", x="steps", series="real_weight", label="share {}")
    panel_title(ax, r"sine, $n = 40$, $\lambda = 0.2$, $\sigma = 0.5$")
    ax.set(xlabel=r"step $\tau$", ylabel="error at the training inputs", ylim=(0.03, 0.1))
    ax.legend()
    return fig


def fig_optimal_weight(results):
    """The best share of true labels in the second step, and what it gains."""
    fig, axes = figure(2)
    for ax, name, quantity in zip(axes, ("weight", "gain"), ("best share of true labels", "part of the error removed")):
        overlay(ax, results["weight"], name, x="sigma", series="lam_total", label=r"$\lambda = {}$")
        panel_title(ax, "second step, sine, $n = 40$")
        ax.set(xscale="log", xlabel=r"label noise $\sigma$", ylabel=quantity)
    axes[0].axhspan(0, 1, color="0.9", zorder=0)
    axes[1].set_ylim(0, 1)
    axes[0].legend()
    return fig
