"""Figures of `verified_synthetic`: breakdown, phase diagrams, scaling curves, and what a verifier's rates say."""

from theorylab.plotting.overlay import MARKERS, colours, figure, overlay, panel_title

SELECTIONS = dict(
    clean="clean labels", oracle="oracle", strong="strong verifier", weak="weak verifier", none="no selection",
    random="random selection",
)  # fmt: skip
PAIRS = r"generated pairs $n$"


def fig_breakdown(results):
    """Curves cross at (p*, 1/2) and steepen to the step of infinitely many samples."""
    fig, axes = figure(2, width=4.8)
    for ax, name, title in zip(axes, ("accuracy", "agreement"), ("accuracy", "agreement with the best classifier")):
        overlay(ax, results["breakdown"], name, x="p", series="n", where={"psi": 0.3}, label=r"$n = {}$")
        step = results["population"].theory[name]
        low, high = float(step.sel(p=1.0)), float(step.sel(p=0.0))
        ax.plot((0, 0.75, 0.75, 1), (high, high, low, low), "k--", linewidth=1.1, label=r"$n = \infty$")
        ax.text(0.76, 0.9, "$p^*$", transform=ax.get_xaxis_transform())
        panel_title(ax, r"Gaussian mixture, $|\mu| = 2$, $d = 100$, $\phi = 0.9$, $\psi = 0.3$")
        ax.set(xlabel="flip rate $p$", ylabel=title, ylim=(-0.02, 1.02), xlim=(0, 1))
    axes[0].legend(loc="lower left")
    return fig


def fig_sharpness(results):
    """The slope at the breakdown point grows as the square root of the size."""
    fig, (ax,) = figure(width=5.4)
    data = results["sharpness"]
    n, slope = data.curve.n, -data.curve.slope
    ax.plot(n, slope, color=colours(2)[0], label="closed form")
    mean, sem = -data.mean("slope"), data.sem("slope")
    ax.errorbar(mean.n, mean, 2 * sem, fmt="o", color=colours(2)[0], markersize=4.5, capsize=2, label="simulation")
    last = float(slope[-1]) / float(n[-1]) ** 0.5
    ax.plot(n, last * n**0.5, linestyle="--", label=r"$\propto \sqrt{n/d}$", **_grey())
    panel_title(ax, r"Gaussian mixture, $|\mu| = 2$, $d = 100$, $\phi = 0.9$, $\psi = 0.3$")
    ax.set(xscale="log", yscale="log", xlabel=PAIRS, ylabel="|slope of the accuracy| at $p^*$", ylim=(0.5, None))
    ax.legend()
    return fig


def fig_phase_diagram(results):
    """Discs are simulations, coloured like the theory behind them; on the line half of the kept labels is wrong."""
    fig, axes = figure(4, width=3.7, height=3.6)
    phase, rates = results["phase"], results["breakdown"]
    for ax, n, size in zip(axes, phase.samples.n.values, ("2", "20", "10^4")):
        _map(ax, phase, x="phi", y="psi", where={"n": n})
        ax.plot((0, 0.35 / 0.65), (0, 1), "k--", linewidth=1.2)
        panel_title(ax, rf"$n/d = {size}$, $p = 0.35$")
        ax.set(xlabel=r"$\phi$, keep rate of correct pairs", xlim=(0, 1), ylim=(0, 1))
        ax.set_ylabel(r"$\psi$, keep rate of wrong pairs" if n == 200 else "")
    shown = _map(axes[3], rates, x="p", y="psi", where={"n": 2000})
    psi = rates.curve.psi.values
    axes[3].plot(0.9 / (0.9 + psi), psi, "k--", linewidth=1.2)
    panel_title(axes[3], r"$n/d = 20$, $\phi = 0.9$; dashed: $p^*$")
    axes[3].set(xlabel="flip rate $p$", ylabel=r"$\psi$", xlim=(0, 1), ylim=(0, 1))
    fig.colorbar(shown, ax=axes[3], label="accuracy")
    return fig


def fig_scaling(results):
    """Without selection the curve saturates at the generator; a verifier that is worse than it still lifts it."""
    fig, (ax,) = figure(width=6.4, height=4.2)
    data = results["scaling"]
    overlay(ax, data, "accuracy", x="n", series="selection", only=list(SELECTIONS))
    handles, labels = ax.get_legend_handles_labels()
    level = {name: float(data.theory[name]) for name in ("generator", "weak")}
    limit = (1 + level["generator"]) / 2
    for value, name in (
        (level["generator"], "generator alone"), (level["weak"], "weak verifier alone"), (limit, "limit of the oracle")
    ):  # fmt: skip
        ax.axhline(value, linestyle=":", **_grey())
        ax.text(1.0, value, name, transform=ax.get_yaxis_transform(), ha="right", va="bottom", color="0.3", fontsize=8)
    panel_title(ax, r"teacher inputs, $d = 100$, $n_0 = 100$, $n_v = 50, 400$, $\lambda = 0.1$")
    ax.set(xscale="log", xlabel=PAIRS, ylabel="accuracy", xlim=(40, 1e6), ylim=(0.57, 1))
    ax.legend(handles, [SELECTIONS[label] for label in labels], loc="lower right", ncols=2)
    return fig


def fig_verifier_rates(results):
    """Grey: no three vectors have these angles. Discs are simulations, coloured like the theory behind them."""
    fig, axes = figure(3, width=4.0, sharey=True)
    data = results["rates"]
    titles = dict(phi=r"$\phi$, correct labels kept", psi=r"$\psi$, wrong labels kept", p_star=r"$p^*$")
    for ax, (name, title) in zip(axes, titles.items()):
        curve, mean = data.curve, data.mean(name)
        rho_v = curve.rho_v.broadcast_like(curve.r)
        ax.set_facecolor("0.82")
        shown = ax.pcolormesh(rho_v, curve.r, curve[name].transpose(*curve.r.dims), cmap="viridis", vmin=0, vmax=1,
                              shading="gouraud", rasterized=True)  # fmt: skip
        place = data.samples.rho_v.broadcast_like(data.samples.r)
        ax.scatter(place, data.samples.r, c=mean.transpose(*data.samples.r.dims), cmap="viridis", vmin=0, vmax=1, s=55,
                   edgecolors="w", linewidths=0.8)  # fmt: skip
        panel_title(ax, title + r"  ($\rho_g = 0.5$)")
        ax.set(xlabel=r"$\rho_v$, verifier and truth", xlim=(0, 1), ylim=(-0.9, 1))
        fig.colorbar(shown, ax=ax)
    axes[0].set_ylabel("$r$, verifier and generator")
    return fig


def fig_proxy(results):
    """What 2000 labelled pairs say about a verifier, against what its selection leads to."""
    fig, axes = figure(2, width=4.8, sharey=True)
    data = results["proxy"]
    x, bar = data.mean("margin"), data.mean("p_star_se")
    names = dict(linear="linear verifiers", coin="coins of the same rates")
    for ax, (kind, name), colour, marker in zip(axes, names.items(), colours(2), MARKERS):
        gain, sem = (100 * (part.sel(kind=kind)) for part in (data.mean("accuracy") - 2 / 3, data.sem("accuracy")))
        formula = 100 * (data.theory.accuracy.sel(kind=kind) - 2 / 3)
        ax.plot(data.theory.margin, formula, "k+", markersize=9, label="closed form", zorder=4)
        ax.errorbar(x, gain, 2 * sem, 2 * bar, fmt=marker, color=colour, markersize=4, elinewidth=0.6, linewidth=0,
                    label="simulation")  # fmt: skip
        ax.axhline(0, **_grey())
        ax.axvline(0, **_grey())
        rank = _spearman(data, kind)
        spread = 2 * float(rank.std("replicate", ddof=1)) / rank.sizes["replicate"] ** 0.5
        panel_title(ax, rf"{name}: rank correlation ${float(rank.mean()):.3f} \pm {spread:.3f}$")
        ax.set_xlabel(r"measured $\hat p^* - \hat p$ (one set of 2000 pairs: horizontal bars)")
        ax.legend(loc="upper left")
    axes[0].set_ylabel("accuracy gained over the generator, points")
    return fig


def fig_models(results):
    """Noise that ignores the input has a sharp breakdown, the mistakes of a linear generator have none."""
    fig, axes = figure(2, width=4.8, sharey=True)
    titles = dict(noise="labels flipped at random", generator="labels of a linear generator")
    for ax, (model, title) in zip(axes, titles.items()):
        overlay(ax, results["models"], "accuracy", x="psi", series="n", where={"model": model}, label=r"$n = {}$")
        ax.axvline(0.5 * 0.55 / 0.45, linestyle="--", **_grey())
        ax.axhline(0.5, linestyle=":", **_grey())
        if model == "generator":
            ax.axhline(0.55, linestyle="-.", label="generator alone", **_grey())
        panel_title(ax, rf"{title}, $p = 0.45$, $\phi = 0.5$")
        ax.set(xlabel=r"$\psi$, keep rate of wrong pairs", ylim=(0, 1))
        ax.legend(loc="lower left")
    axes[0].set_ylabel("accuracy")
    axes[0].text(0.62, 0.9, "half of the kept\nlabels is wrong", fontsize=8, color="0.3")
    return fig


def fig_mixed(results):
    """Verified pairs first cost, then help; unverified ones past their breakdown point only hurt."""
    fig, axes = figure(2, width=4.8, sharey=True)
    names = dict(strong=r"$\phi, \psi = 0.9, 0.1$", weak=r"$\phi, \psi = 0.9, 0.6$", none="unverified")
    for ax, p in zip(axes, (0.35, 0.55)):
        overlay(ax, results["mixed"], "accuracy", x="n", series="verifier", only=list(names), where={"p": p})
        ax.axhline(float(results["mixed"].theory.accuracy.sel(n=0, p=p, verifier="none")), linestyle=":", **_grey())
        handles, labels = ax.get_legend_handles_labels()
        ax.set_xscale("symlog", linthresh=30)
        panel_title(ax, rf"50 real pairs, $d = 100$, $|\mu| = 2$, $p = {p}$")
        ax.set(xlabel=PAIRS, xlim=(0, 1.5e6), ylim=(0, 1))
    axes[0].legend(handles, [names[label] for label in labels], loc="lower left")
    axes[0].set_ylabel("accuracy")
    axes[1].text(2e6, 0.86, "real pairs alone", fontsize=8, color="0.3", ha="right")
    return fig


def fig_digits(results):
    """Along a curve the verifier is trained on more labels; |mu| is all that the theory knows of the images."""
    fig, axes = figure(2, width=4.8)
    data = results["digits"]
    names = ((1, "fitted Gaussian mixture"), (0, "images"))
    for ax, task in zip(axes, data.samples.task.values):
        curve = data.curve.sel(task=task)
        ax.plot(curve.p_star, curve.accuracy, color="k", label="theory")
        for (gaussian, name), colour, marker in zip(names, colours(2), MARKERS):
            at = dict(task=task, gaussian=gaussian)
            x, dx, y, dy = (part(what).sel(at) for what in ("p_star", "accuracy") for part in (data.mean, data.sem))
            ax.errorbar(x, y, 2 * dy, 2 * dx, fmt=marker, color=colour, markersize=5, capsize=2, linewidth=0,
                        elinewidth=1, label=name)  # fmt: skip
            ax.axhline(float(data.mean("generator").sel(at)), color=colour, linestyle=":", linewidth=1.1)
        panel_title(ax, f"{task}; verifiers trained on 2 to 256 labels")
        ax.set(xlabel="measured breakdown point $p^*$", ylabel="accuracy")
        ax.text(0.99, float(data.mean("generator").sel(at)), "generators", transform=ax.get_yaxis_transform(),
                ha="right", va="bottom", fontsize=8, color="0.3")  # fmt: skip
    axes[0].legend()
    return fig


def _grey(**style):
    return dict(style, color="0.4", linewidth=1.1, zorder=1)


def _map(ax, data, x, y, where=None):
    """Theory as a map, simulations as discs of the same colours."""
    curve, mean = (part.sel(where or {}).transpose(y, x) for part in (data.curve.accuracy, data.mean("accuracy")))
    shown = ax.pcolormesh(curve[x], curve[y], curve, cmap="RdBu", vmin=0, vmax=1, shading="gouraud", rasterized=True)
    columns, rows = (mean[axis].broadcast_like(mean).transpose(y, x) for axis in (x, y))
    ax.scatter(columns, rows, c=mean, cmap="RdBu", vmin=0, vmax=1, s=70, edgecolors="k", linewidths=0.5)
    return shown


def _spearman(data, kind):
    """Rank correlation of measured margin and accuracy over the verifiers, in every replicate."""
    both = data.samples.margin, data.samples.accuracy.sel(kind=kind)
    ranks = [v.argsort(v.get_axis_num("verifier")).argsort(v.get_axis_num("verifier")) for v in both]
    first, second = (rank - rank.mean("verifier") for rank in ranks)
    return (first * second).mean("verifier") / (first.std("verifier") * second.std("verifier"))
