"""Figures of `preference_games`: how iterates approach the equilibrium, or cycle around it."""

from theorylab.plotting.overlay import colours, figure, overlay, panel_title, theory_line

CORNERS = ((0.0, 0.0), (1.0, 0.0), (0.5, 3**0.5 / 2))


def fig_convergence(results):
    """The schedule converges fast, a constant step only if it is small enough."""
    fig, axes = figure(3, width=4.2, height=3.8)
    ax, schedule = axes[0], results["schedule"]
    overlay(ax, schedule, "kl", x="steps", series="beta", where={"game": 0}, label=r"$\beta = {}$")
    betas = schedule.samples.beta.values
    for beta, colour in zip(betas, colours(len(betas))):
        theory_line(
            ax, results["bound"], "kl", x="steps", where={"game": 0, "beta": beta}, color=colour, linestyle="--"
        )
    ax.plot([], [], "--", color="0.4", label="bound")
    ax.plot((100, 2000), (3e-4, 3e-4 / 20**4), color="0.4", linewidth=1, linestyle=":")
    ax.text(500, 4e-6, "$T^{-4}$", color="0.35")
    panel_title(ax, "schedule, random game of 8 responses")
    ax.set(ylim=(1e-20, 1e4))

    ax, constant = axes[1], results["constant"]
    ratios = constant.samples.eta_ratio.values
    overlay(ax, constant, "kl", x="steps", series="eta_ratio", where={"game": "cyclic"}, total=len(ratios) + 1,
            label=r"$\eta = {}\,\eta_c$")  # fmt: skip
    theory_line(ax, results["reference"], "kl", x="steps", where={"game": "cyclic"}, color="0.4", linestyle="-.",
                label="schedule")  # fmt: skip
    panel_title(ax, r"constant $\eta$, rock, paper, scissors, $\beta = 0.05$")
    ax.set(ylim=(1e-12, 10))
    for ax in axes[:2]:
        ax.set(xscale="log", yscale="log", xlabel="updates $T$", ylabel=r"KL(Nash || $\pi_T$)")
        ax.legend(loc="lower left")

    ax, local = axes[2], results["local"]
    for i, (strength, beta) in enumerate(((1.0, 0.05), (1.0, 0.1), (0.5, 0.1))):
        overlay(ax, local, "log_rate", x="eta_ratio", where={"strength": strength, "beta": beta}, offset=i, total=3,
                label=rf"strength {strength}, $\beta = {beta}$")  # fmt: skip
    ax.axhline(0, color="0.5", linestyle=":", linewidth=1.2)
    ax.axvline(1, color="0.5", linestyle=":", linewidth=1.2)
    ax.set(xlabel=r"$\eta / \eta_c$", ylabel="log of the factor per step (> 0: leaves)")
    panel_title(ax, "near the equilibrium")
    ax.legend(loc="upper right")
    return fig


def fig_simplex(results):
    """Rock, paper, scissors: a spiral inwards, or a limit cycle."""
    fig, axes = figure(3, width=3.8, height=3.5)
    constant, schedule = results["simplex"], results["simplex_schedule"]
    panels = [(constant, {"eta_ratio": r}, rf"$\eta = {r:g}\,\eta_c$") for r in constant.samples.eta_ratio.values]
    for ax, (result, where, title) in zip(axes, [(schedule, {}, "schedule"), *panels]):
        mean, line = (data.sel(where) for data in (result.mean("policy"), result.curve.policy))
        ax.plot(*zip(*CORNERS, CORNERS[0]), color="0.6", linewidth=1)
        for name, corner, align in zip("RPS", CORNERS, ("right", "left", "center")):
            ax.text(*corner, f" {name} ", ha=align, va="bottom" if name == "S" else "center")
        ax.plot(*_plane(line), color=colours(2)[0], linewidth=0.9)
        ax.plot(*_plane(mean), "o", color=colours(2)[1], markersize=2)
        ax.plot(*_plane(mean.isel(steps=slice(1))), "s", color="k", markersize=5, label="reference")
        ax.plot(*_plane(mean.isel(steps=slice(-1, None))), "*", color="r", markersize=10, label="after 400 updates")
        ax.set(aspect="equal", xlim=(-0.1, 1.1), ylim=(-0.05, 1.08))
        ax.axis("off")
        ax.text(0.5, 1.0, title, ha="center")
    axes[0].legend(loc="upper right", bbox_to_anchor=(1.1, 0.95), fontsize=7)
    return fig


def _plane(policy):
    """Probabilities of three responses as points of a triangle."""
    return tuple(sum(corner[i] * policy.sel(response=r) for r, corner in enumerate(CORNERS)) for i in (0, 1))
