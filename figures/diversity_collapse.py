"""Figures of `diversity_collapse`: what the divergence of the penalty does to pass@k and to hard prompts."""

from theorylab.plotting.overlay import figure, log_axes, overlay, panel_title

NAMES = {"reverse_kl": "reverse KL", "jsd": "jsd", "forward_kl": "forward KL"}
PANELS = (
    ("all", 0.0, "all kinds of prompts, perfect verifier"),
    ("all", 0.2, "all kinds, verifier wrong on 20%"),
    ("easy", 0.2, "easy prompts, verifier wrong on 20%"),
)


def fig_pass_at_k(results):
    """At equal pass@1 mass-covering divergences solve more within k answers."""
    fig, axes = figure(3, width=3.7, sharey=True)
    for ax, (prompts, q, title) in zip(axes, PANELS):
        where = {"prompts": prompts, "q": q}
        overlay(ax, results["solved"], "pass_at_k", x="k", series="name", only=list(NAMES), where=where)
        base = results["solved"].theory.base.sel(prompts=prompts)
        ax.plot(base.k, base, "--", color="0.4", linewidth=1.2, label="reference")
        ax.set_xscale("log", base=2)
        ax.set(xlabel="answers $k$", xticks=(1, 4, 16, 64, 256), xticklabels=(1, 4, 16, 64, 256))
        panel_title(ax, title)
    axes[0].set_ylabel("pass@$k$ at equal pass@1")
    handles, labels = axes[0].get_legend_handles_labels()
    axes[0].legend(handles, [NAMES.get(label, label) for label in labels], loc="lower right")
    return fig


def fig_hard_prompts(results):
    """Forward KL lifts prompts that were hardly ever solved; reverse KL multiplies their success by a constant."""
    fig, axes = figure(2)
    overlay(axes[0], results["prompts"], "p_c", x="p0", series="name", only=list(NAMES))
    axes[0].plot((1e-4, 1), (1e-4, 1), "--", color="0.4", linewidth=1.2, label="reference")
    overlay(axes[1], results["prompts"], "u_w", x="p0", series="name", only=list(NAMES))
    for ax in axes:
        log_axes(ax)
        ax.set(xlabel="success of the reference $p_0$")
    axes[0].set_ylabel("success after training $p_c$")
    axes[1].set_ylabel("wrong answers: $u_w$ = trained / reference")
    handles, labels = axes[0].get_legend_handles_labels()
    axes[0].legend(handles, [NAMES.get(label, label) for label in labels], loc="lower right")
    panel_title(axes[0], "penalties of equal pass@1 over all prompts")
    return fig
