"""Figures of `policy_entropy`: single steps, rewards against entropies, and rules that keep the entropy up."""

from math import sqrt

from theorylab.plotting.overlay import colours, figure, overlay, panel_title

NAMES = {
    "gradient": "gradient",
    "natural": "natural gradient",
    "bonus": "entropy bonus 0.05",
    "sampled": "sampled gradient",
    "clip_cov": "Clip-Cov, 20% of tokens",
    "kl_cov": "KL-Cov, 20% of tokens",
}
RULES = ("gradient", "natural gradient")
QUESTIONS = "32 questions, 50 answers, 5 correct"


def fig_first_order_law(results):
    """The first-order law of the entropy, step by step, and the sizes of the gradients behind it."""
    fig, axes = figure(4, width=3.7)
    steps = results["steps"].theory
    for natural, colour, marker in zip((False, True), colours(2), "os"):
        large = steps.sel(natural=natural, eta=0.01)
        style = dict(color=colour, label=RULES[natural], markersize=3.5, markerfacecolor="none", linewidth=0)
        axes[0].plot(large.first_order, large.realised, marker, **style)
        left = steps.sel(natural=natural, eta=0.001)
        axes[1].plot(left.remainder, (left.realised - left.first_order) / 0.001**2, marker, **style)
    for ax, linear in ((axes[0], 1e-4), (axes[1], 1e-2)):
        low, high = ax.get_xlim()
        ax.plot((low, 0, high), (low, 0, high), color="0.5", linewidth=1, zorder=0)
        ax.set_xscale("symlog", linthresh=linear)
        ax.set_yscale("symlog", linthresh=linear)
        ax.legend()
    panel_title(axes[0], r"64 random policies, exact steps, $\eta = 0.01$")
    axes[0].set(xlabel=r"first order: $-\eta\,$Cov", ylabel=r"realised change $\Delta H$")
    panel_title(axes[1], r"what is left, $\eta = 0.001$")
    axes[1].set(xlabel="closed remainder", ylabel=r"(realised $-$ first order) / $\eta^2$")
    overlay(axes[2], results["sampled"], "change", x="alignment", series="natural")
    handles = axes[2].get_legend_handles_labels()[0]
    axes[2].axhline(0, color="0.5", linewidth=1)
    panel_title(axes[2], r"steps from batches of 512, $\eta = 0.001$")
    axes[2].set(xlabel=r"correlation of $\log\pi$ and $A$", ylabel=r"mean change $\Delta H$")
    axes[2].legend(handles, RULES)
    overlay(axes[3], results["score"], "ratio", x="answer", label="random policies, ten answers")
    for bound, name in ((sqrt(10 / 9), r"$\sqrt{N/(N-1)}$"), (sqrt(2), r"$\sqrt{2}$")):
        axes[3].axhline(bound, color="0.5", linestyle=":", linewidth=1.2)
        axes[3].text(0.02, bound, name, transform=axes[3].get_yaxis_transform(), va="bottom", color="0.35")
    panel_title(axes[3], "gradients of log-probabilities")
    axes[3].set(xlabel="answer, from rare to likely", ylabel=r"$|\nabla \log\pi_a| \,/\, (1-\pi_a)$", ylim=(1, 1.5))
    axes[3].legend(loc="center left")
    return fig


def fig_reward_law(results):
    """Rewards against the exponential of the entropy: roughly a line, bent at the end."""
    fig, axes = figure(2, width=4.8)
    law = results["law"]
    runs = law.samples.isel(replicate=slice(8))
    axes[0].plot(runs.entropy.T, runs.reward.T, "-", color="0.8", linewidth=0.8)
    H = law.mean("entropy")
    styles = (
        ("fitted", "$R = -a\\,e^H + b$", "-", "tab:red"),
        ("extrapolated", "the same, fitted to the first third", "--", "tab:red"),
        ("straight", "$R = -a H + b$", ":", "tab:blue"),
    )
    for ax, x in zip(axes, (H, H.steps)):
        ax.errorbar(x, law.mean("reward"), 2 * law.sem("reward"), fmt="o", color="0.25", markersize=3.5, capsize=2,
                    linewidth=0, elinewidth=1, label="training")  # fmt: skip
        for name, label, style, colour in styles:
            ax.plot(x, law.mean(name), style, color=colour, label=label)
    r2, straight = (float(law.mean(name)) for name in ("r2", "r2_straight"))
    panel_title(axes[0], f"$r^2 = {r2:.2f}$, straight line {straight:.2f}; grey: eight runs")
    panel_title(axes[1], "the same in time")
    axes[0].set(xlabel="entropy $H$ of the policy", ylabel="reward $R$")
    axes[1].set(xlabel="step", ylabel="reward $R$")
    axes[0].legend()
    return fig


def fig_control(results):
    """Entropy along the training, against the reward, and among the correct answers."""
    fig, axes = figure(3, width=4.4)
    control = results["control"]
    H, R, D = (control.mean(name) for name in ("entropy", "reward", "diversity"))
    bars = {name: 2 * control.sem(name) for name in ("entropy", "reward", "diversity")}
    for rule, colour, marker in zip(NAMES, [*colours(3), *("tab:red", "tab:orange", "tab:brown")], "osD^vP"):
        sampled = rule in ("sampled", "clip_cov", "kl_cov")
        style = dict(fmt=marker + ("--" if sampled else "-"), color=colour, markersize=4, capsize=2, linewidth=1,
                     elinewidth=1, label=NAMES[rule])  # fmt: skip
        one = dict(rule=rule)
        axes[0].errorbar(R.sel(one), H.sel(one), bars["entropy"].sel(one), bars["reward"].sel(one), **style)
        axes[1].errorbar(H.steps, R.sel(one), bars["reward"].sel(one), **style)
        axes[2].errorbar(H.steps, D.sel(one), bars["diversity"].sel(one), **style)
    panel_title(axes[0], QUESTIONS)
    panel_title(axes[1], "reward")
    panel_title(axes[2], "entropy among the correct answers")
    axes[0].set(xlabel="reward $R$", ylabel="entropy $H$ of the policy", xlim=(0, 1.03))
    axes[1].set(xlabel="step", ylabel="reward $R$", ylim=(0, 1.03))
    axes[2].set(xlabel="step", ylabel="entropy", ylim=(0, None))
    axes[2].legend(loc="lower left", ncols=2)
    return fig
