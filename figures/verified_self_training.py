"""Figures of `verified_self_training`: accuracy along the rounds of verified self-training."""

from theorylab.plotting.overlay import figure, overlay, panel_title

SCHEDULES = dict(constant="$4d$ pairs", growing=r"$2d \cdot 1.5^t$ pairs", large="$64d$ pairs")


def fig_rounds(results):
    """The classifier tends to its verifier, overtaking it on the way; a constant number of pairs stays below."""
    fig, axes = figure(2, width=4.8)
    chain, infinite = results["chain"], results["infinite"].theory.sel(rho_v=0.9)
    overlay(axes[0], chain, "accuracy", x="rounds", series="schedule", only=list(SCHEDULES), where={"d": 100})
    axes[0].plot(infinite.rounds, infinite.accuracy, "k--", linewidth=1.2, label="infinitely many")
    for value, name, x in (
        (float(infinite.verifier), "verifier", 0.12), (float(infinite.accuracy[0]), "first generator", 0.99)
    ):  # fmt: skip
        axes[0].axhline(value, color="0.4", linewidth=1.1, linestyle=":", zorder=1)
        axes[0].text(x, value + 0.002, name, transform=axes[0].get_yaxis_transform(), ha="right", va="bottom",
                     color="0.3", fontsize=8)  # fmt: skip
    overlay(axes[1], chain, "r", x="rounds", series="schedule", only=list(SCHEDULES), where={"d": 100})
    axes[1].axhline(1, color="0.4", linewidth=1.1, linestyle=":", zorder=1)
    panel_title(axes[0], r"$d = 100$, $\rho_0 = 0.4$, $\rho_v = 0.9$, $r_0 = 0.36$, $\lambda = 0.05$")
    panel_title(axes[1], "approach to the verifier")
    handles, labels = axes[0].get_legend_handles_labels()
    axes[0].legend(handles, [SCHEDULES.get(label, label) for label in labels], loc="center right")
    for ax, name in zip(axes, ("accuracy", r"cosine $r_t$ of classifier and verifier")):
        ax.set(xlabel="round $t$", ylabel=name)
    return fig
