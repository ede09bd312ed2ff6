"""Figures of `negative_groups`: policies trained on groups of sampled answers, and the gradients of such groups."""

from theorylab.plotting.overlay import colours, figure, overlay, panel_title, theory_line

NAMES = {
    "nsr": "negative samples only",
    "reinforce": "plain rewards",
    "grpo": "normalised (GRPO)",
    "lens": "LENS, all-wrong groups at 0.25",
    "lens_full": "LENS, all-wrong groups at 1",
}
PANEL = "64 questions, 50 answers, 2 correct, $G = 8$"


def fig_penalty_weight(results):
    """The penalty grows with the confidence; it makes the policy gradient that of the likelihood."""
    fig, axes = figure(3, width=4.2)
    weights = (("penalty", "$z/(1-z)$: penalty in the gradient", "-"), ("w", "$w(z)$: in the value", "--"))
    for colour, (name, label, style) in zip(colours(2), weights):
        theory_line(axes[0], results["weight"], name, x="z", where={}, color=colour, linestyle=style)
        axes[0].lines[-1].set_label(label)
    panel_title(axes[0], "penalty on a wrong answer (formula)")
    axes[0].set(xlabel=r"confidence over difficulty $z = \pi/D$", ylabel="penalty", ylim=(0, 8))
    samples = results["likelihood"].samples.isel(replicate=slice(40))
    for name, label, marker, colour in (
        ("plain", "rewards $r$", "x", "tab:red"),
        ("penalised", "penalised rewards", "o", colours(2)[0]),
    ):
        axes[1].plot(samples.likelihood.values.ravel(), samples[name].values.ravel(), marker, color=colour, label=label,
                     markersize=3.5, linewidth=0)  # fmt: skip
    axes[1].axline((0, 0), slope=1, color="0.5", linewidth=1)
    panel_title(axes[1], "40 random bandits, six answers")
    axes[1].set(xlabel="gradient of the likelihood", ylabel="policy gradient")
    overlay(axes[2], results["all_wrong"], "gradient", x="G", series="answer", label="{}")
    handles = axes[2].get_legend_handles_labels()[0]
    names = [rf"$\pi = {p}$" for p in (0.05, 0.5, 0.3, 0.15)]
    names[0] += ", correct"
    panel_title(axes[2], "groups that are all wrong")
    axes[2].set(xlabel="group size $G$", ylabel="expected gradient in the logit")
    axes[2].set_xscale("log", base=2)
    axes[0].legend()
    axes[1].legend()
    axes[2].legend(handles, names)
    return fig


def fig_accuracy(results):
    """All-wrong groups help, most on hard questions."""
    fig, axes = figure(3, width=4.4)
    _curves(axes[0], results, "accuracy", "steps")
    _curves(axes[1], results, "gain", "steps", only=("lens", "lens_full"))
    _curves(axes[2], results, "hard_accuracy", "steps")
    axes[1].axhline(0, color="0.4", linewidth=1)
    titles = (PANEL, "the same questions and random numbers", "third of the questions that is hardest at the start")
    for ax, title, quantity in zip(axes, titles, ("accuracy", "accuracy gained over GRPO", "accuracy")):
        panel_title(ax, title)
        ax.set(xlabel="step", ylabel=quantity)
        ax.legend()
    return fig


def fig_pass_at_k(results):
    """More of the questions are solved by some of k answers."""
    fig, axes = figure(2, width=5.0)
    _curves(axes[0], results, "pass_at_k", "k")
    panel_title(axes[0], f"after 400 steps; {PANEL}")
    axes[0].set(xlabel="answers per question $k$", ylabel="pass@$k$")
    axes[0].set_xscale("log", base=2)
    _curves(axes[1], results, "entropy", "steps")
    panel_title(axes[1], "diversity of the answers")
    axes[1].set(xlabel="step", ylabel="entropy of the policy", ylim=(0, None))
    axes[1].legend()
    return fig


def fig_group_rate(results):
    """Groups without a correct answer: counted, and expected from the success probabilities."""
    fig, axes = figure(2, width=5.0)
    _curves(axes[0], results, "all_wrong", "steps", linewidth=0)
    expected = results["training"].mean("expected_wrong")
    for advantage, colour in zip(NAMES, colours(len(NAMES))):
        line = expected.sel(advantage=advantage)
        axes[0].plot(line.steps, line, color=colour, linewidth=1.2)
    panel_title(axes[0], "markers: counted; lines: mean of $(1-p)^G$")
    axes[0].set(xlabel="step", ylabel="share of all-wrong groups", ylim=(0, 1))
    _curves(axes[1], results, "wrong_ratio", "steps", linewidth=0)
    axes[1].axhline(float(results["training"].theory.wrong_ratio), color="0.4", linewidth=1.2)
    panel_title(axes[1], PANEL)
    axes[1].set(xlabel="step", ylabel="counted over expected", ylim=(0.985, 1.015))
    axes[0].legend()
    return fig


def fig_grpo_scale(results):
    """Normalised rewards magnify the gradient of rare successes, as far as the group size allows."""
    fig, (ax,) = figure(width=5.6)
    overlay(ax, results["scale"], "scale", x="p", series="G", label="$G = {}$")
    theory_line(ax, results["limit"], "limit", x="p", where={}, color="0.3", linestyle=":")
    ax.lines[-1].set_label(r"$1/\sqrt{p(1-p)}$")
    ax.set(xlabel="success probability $p$", ylabel=r"gradient over $\nabla p$", ylim=(0, 6.5))
    ax.legend(ncols=2)
    return fig


def _curves(ax, results, name, x, linewidth=0.9, only=tuple(NAMES)):
    """One curve for each advantage, with two standard errors; no formula gives it."""
    mean, sem = results["training"].mean(name), 2 * results["training"].sem(name)
    for advantage, colour, marker in zip(NAMES, colours(len(NAMES)), "osD^v"):
        if advantage not in only:
            continue
        line, bar = mean.sel(advantage=advantage), sem.sel(advantage=advantage)
        ax.errorbar(line[x], line, bar, fmt=marker + "-", color=colour, markersize=3.5, capsize=2, linewidth=linewidth,
                    elinewidth=1, label=NAMES[advantage])  # fmt: skip
