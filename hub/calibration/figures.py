"""Figures of the calibration as SVG, the same bytes for the same numbers."""

from pathlib import Path

from hub.calibration.result import Figure


def write(figure: Figure, path: Path) -> None:
    """Draw a figure into a file."""
    import matplotlib as mpl  # noqa: PLC0415 - half a second that only this verb pays
    from matplotlib.figure import Figure as Canvas  # noqa: PLC0415 - the same

    with mpl.rc_context(
        {"svg.hashsalt": figure.name, "svg.fonttype": "none", "font.size": 9.0, "axes.grid": True, "grid.alpha": 0.3}
    ):
        canvas = Canvas(figsize=(6.4, 3.6), layout="constrained")
        axes = canvas.add_subplot()
        for curve in figure.curves:
            if curve.low is not None:
                axes.fill_between(curve.x, curve.low, curve.y, color="0.85", label=curve.label, linewidth=0)
            elif curve.error is not None:
                axes.errorbar(curve.x, curve.y, yerr=curve.error, fmt="o", markersize=3.5, label=curve.label)
            else:
                axes.plot(curve.x, curve.y, linewidth=1.2, label=curve.label)
        axes.set(xlabel=figure.x_label, ylabel=figure.y_label)
        if figure.log_x:
            axes.set_xscale("log")
        if figure.log_y:
            axes.set_yscale("log")
        if figure.curves:
            axes.legend(fontsize=7.0)
        canvas.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
