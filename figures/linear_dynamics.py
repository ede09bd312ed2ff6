"""Figures of `linear_dynamics`: test and training errors of linear networks, in time and against samples."""

from theorylab.plotting.overlay import colours, figure, log_axes, overlay, panel_title, theory_line

RATIO = r"$\alpha = {}$"
TEST = r"test error $E_g$"
LARGEST = 10**6  # the nearest size is the largest one


def fig_error_vs_time(results):
    """The test error falls and rises, most at as many samples as parameters; the training error only falls."""
    fig, axes = figure(5, width=3.4)
    panels = [(name, noise) for name in ("test_error", "train_error") for noise in (1.0, 1 / 3)]
    for ax, (name, noise) in zip(axes, panels):
        overlay(ax, results["curves"], name, x="t", series="alpha", only=(0.5, 1.0, 1.5, 4.0), label=RATIO,
                where={"N": LARGEST, "sigma_e2": noise})  # fmt: skip
        panel_title(ax, f"flow, signal-to-noise ratio {1 / noise:.0f}")
        ax.set(xscale="log", xlabel="training time $t$")
        if name == "test_error":
            ax.set(ylabel=TEST, ylim=(0.9 * noise, 60 * noise))
            log_axes(ax, "y")
        else:
            ax.set(ylabel=r"training error $E_t$", ylim=(0, None))
    axes[0].legend(loc="upper left")
    overlay(axes[4], results["descent"], "test_error", x="steps", series="relative_step",
            where={"N": LARGEST, "alpha": 1.5}, label=r"$\eta = {} / (1 + \sqrt{{\alpha}})^2$")  # fmt: skip
    panel_title(axes[4], r"discrete steps, $\alpha = 1.5$, ratio 3")
    axes[4].set(xscale="log", xlabel="step $k$", ylabel=TEST)
    axes[4].legend()
    return fig


def fig_peak(results):
    """The peak at alpha = 1 sharpens with the training time; optimal stopping has none."""
    fig, (ax,) = figure(width=5.6)
    theory_line(ax, results["optimum"], "limit", x="alpha", where={}, color="tab:red", linestyle=":", zorder=2.5)
    ax.lines[-1].set_label(r"$t = \infty$ (formula)")
    where = {"N": LARGEST, "sigma_e2": 1 / 3}
    for index, (time, colour) in enumerate(zip((1000.0, 50.0), colours(3))):
        theory_line(ax, results["late"], "test_error", x="alpha", where={"t": time}, color=colour)
        _points(ax, results["curves"], "test_error", {**where, "t": time}, colour, "os"[index], f"$t = {time:g}$")
    theory_line(ax, results["optimum"], "stopped", x="alpha", where={}, color=colours(3)[2])
    where = {"N": LARGEST, "relative": 1.0}
    _points(ax, results["stopping"], "stopped", where, colours(3)[2], "D", "optimal stopping")
    panel_title(ax, "signal-to-noise ratio 3")
    log_axes(ax)
    ax.set(xlabel=r"samples per parameter $\alpha$", ylabel=TEST, ylim=(0.35, 20))
    ax.legend()
    return fig


def fig_stop_vs_ridge(results):
    """Early stopping does nearly as well as the best ridge."""
    fig, axes = figure(2)
    where = {"N": LARGEST, "relative": 1.0}
    panels = (("stopped", "tab:red", "-", "o", "optimal stopping"), ("ridge", "tab:blue", "--", "s", "optimal ridge"))
    for name, colour, style, marker, label in panels:
        theory_line(axes[0], results["optimum"], name, x="alpha", where={}, color=colour, linestyle=style)
        _points(axes[0], results["stopping"], name, where, colour, marker, label)
    panel_title(axes[0], "signal-to-noise ratio 3")
    axes[0].set(xscale="log", xlabel=r"samples per parameter $\alpha$", ylabel=TEST)
    axes[0].legend()
    overlay(axes[1], results["gap"], "gap", x="alpha", series="snr", label="signal-to-noise ratio {:g}")
    panel_title(axes[1], "loss of optimal stopping against ridge (formula)")
    axes[1].set(xscale="log", xlabel=r"samples per parameter $\alpha$", ylabel="relative gap", ylim=(0, 0.04))
    axes[1].legend()
    return fig


def fig_init_scale(results):
    """Directions without data keep their initial weights for ever."""
    fig, (ax,) = figure(width=5.6)
    overlay(ax, results["init"], "test_error", x="t", series="sigma_w0_2", where={"N": LARGEST},
            label=r"$\sigma_{{w0}}^2 = {:g}$")  # fmt: skip
    panel_title(ax, r"$\alpha = 0.5$, signal-to-noise ratio 3")
    ax.set(xscale="log", xlabel="training time $t$", ylabel=TEST, ylim=(0, None))
    ax.legend(title="initial weights")
    return fig


def _points(ax, result, name, where, colour, marker, label):
    """Simulated points alone, for a theory line that was drawn from another sweep."""
    mean, sem = (data.sel(where, method="nearest") for data in (result.mean(name), result.sem(name)))
    ax.errorbar(mean.alpha, mean, 2 * sem, fmt=marker, color=colour, markersize=4.5, capsize=2, elinewidth=1,
                label=label, zorder=3)  # fmt: skip
