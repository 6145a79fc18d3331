"""Draw the plots of docs/concepts/methods.md from the code of this package, as SVG files, and one contact sheet.

    python tools/docs/plots.py [--only NAME]

- ``schedule.svg``: the shares of signal and noise over the timesteps, and the timesteps of 1, 2, 4, 8 and 50 steps.
- ``coefficients.svg``: A, B and C of each of 8 steps, for TCD with three values of eta and for LCM.
- ``trajectory.svg``: one latent value on its way from noise to the image, for three values of eta and for DDIM.
- ``estimates.png``: what each step of these trajectories has reached, decoded.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
from PIL import Image

ASSETS = Path(__file__).resolve().parents[2] / "docs" / "assets" / "concepts"

BLUE, ORANGE, GREEN, PURPLE, GRAY = "#3f51b5", "#e65100", "#2e7d32", "#8e24aa", "#9e9e9e"
ETAS = {0.0: BLUE, 0.3: ORANGE, 1.0: GREEN}

PROMPT, SEED = "a yellow star on a purple background", 1
STEPS, COEFFICIENT_STEPS = 4, 8
LATENT = 0, 0, 9, 8
"""The latent value of the trajectory: image, channel, row, column."""

Points = Iterable[tuple[float, float]]


class Figure:
    """An SVG file with several panels."""

    def __init__(self, width: int, height: int) -> None:
        self.size = width, height
        self.parts: list[str] = []

    def add(self, tag: str, content: str = "", **attributes: object) -> None:
        """Add an element; underscores in the names of attributes become hyphens."""
        pairs = " ".join(f'{name.replace("_", "-")}="{value}"' for name, value in attributes.items())
        self.parts.append(f"<{tag} {pairs}>{escape(content)}</{tag}>" if content else f"<{tag} {pairs}/>")

    def text(
        self, x: float, y: float, content: str, anchor: str = "middle", color: str = "#333", size: int = 13
    ) -> None:
        self.add("text", content, x=_short(x), y=_short(y), text_anchor=anchor, fill=color, font_size=size)

    def save(self, path: Path) -> None:
        width, height = self.size
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">'
        ground = f'<rect width="{width}" height="{height}" fill="#fff"/>'
        path.write_text("\n".join([head, ground, *self.parts, "</svg>"]) + "\n", encoding="utf-8")
        print(path)


class Panel:
    """A rectangle of a figure with its axes.

    Args:
        figure: the figure.
        box: left, top, right and bottom in its units.
        x, y: the values at the left and right, and at the bottom and top.
    """

    def __init__(
        self, figure: Figure, box: tuple[int, int, int, int], x: tuple[float, float], y: tuple[float, float]
    ) -> None:
        self.figure, self.box, self.x, self.y = figure, box, x, y

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Return the position of a point in the figure."""
        left, top, right, bottom = self.box
        return (
            left + (x - self.x[0]) / (self.x[1] - self.x[0]) * (right - left),
            bottom - (y - self.y[0]) / (self.y[1] - self.y[0]) * (bottom - top),
        )

    def axes(self, title: str, x_ticks: Sequence[float], y_ticks: Sequence[float], x_label: str = "") -> None:
        """Draw grid lines with their values, a title above and a label below."""
        left, top, right, bottom = self.box
        for value in x_ticks:
            at = self.place(value, self.y[0])[0]
            self.figure.add("line", x1=_short(at), y1=bottom, x2=_short(at), y2=bottom + 4, stroke="#333")
            self.figure.text(at, bottom + 18, f"{value:g}")
        for value in y_ticks:
            at = self.place(self.x[0], value)[1]
            self.figure.add("line", x1=left, y1=_short(at), x2=right, y2=_short(at), stroke="#e0e0e0")
            self.figure.text(left - 6, at + 4, f"{value:g}", anchor="end")
        self.figure.add("rect", x=left, y=top, width=right - left, height=bottom - top, fill="none", stroke="#333")
        self.figure.text((left + right) / 2, top - 8, title, size=14)
        if x_label:
            self.figure.text((left + right) / 2, bottom + 36, x_label)

    def line(self, points: Points, color: str, width: float = 2, dashes: str = "none") -> None:
        """Draw a line through points."""
        path = " ".join(f"{_short(x)},{_short(y)}" for x, y in (self.place(*point) for point in points))
        self.figure.add("polyline", points=path, fill="none", stroke=color, stroke_width=width, stroke_dasharray=dashes)

    def dots(self, points: Points, color: str, radius: float = 3) -> None:
        """Draw a disc at each point."""
        for x, y in (self.place(*point) for point in points):
            self.figure.add("circle", cx=_short(x), cy=_short(y), r=radius, fill=color)

    def label(self, x: float, y: float, content: str, color: str) -> None:
        """Write a text that starts at a point."""
        at = self.place(x, y)
        self.figure.text(*at, content, anchor="start", color=color)


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def schedule(out: Path) -> None:
    """Draw the noise schedule above the timesteps of some numbers of steps."""
    from mindone_tcd import TCDScheduler

    scheduler = TCDScheduler()
    t = np.arange(0, 1000, 3)
    signal, sigma = scheduler.schedule.signal_and_sigma(t)
    figure = Figure(720, 440)
    panel = Panel(figure, (60, 30, 700, 230), (999, 0), (0, 1))
    panel.axes("shares of signal and noise", [], [0, 0.25, 0.5, 0.75, 1])
    panel.line(zip(t, signal, strict=True), BLUE)
    panel.line(zip(t, sigma, strict=True), ORANGE)
    panel.label(190, 0.72, "signal √ᾱ", BLUE)
    panel.label(960, 0.90, "noise √(1-ᾱ)", ORANGE)
    counts = (1, 2, 4, 8, 50)
    grids = Panel(figure, (60, 270, 700, 390), (999, 0), (0, len(counts) + 1))
    grids.axes("timesteps of set_timesteps(n)", [999, 750, 500, 250, 0], [], "timestep t, from noise to the image")
    for row, count in enumerate(counts):
        scheduler.set_timesteps(count)
        height = len(counts) - row
        grids.dots([(t, height) for t in scheduler.timesteps_list], PURPLE, 4 if count < 50 else 2)
        figure.text(52, grids.place(0, height)[1] + 4, f"n={count}", anchor="end")
    figure.save(out / "schedule.svg")


def coefficients(out: Path) -> None:
    """Draw A, B and C of 8 steps, for a model that predicts v."""
    from mindone_tcd import LCMScheduler, TCDScheduler

    series: list[tuple[str, str, Sequence[tuple[float, float, float]]]] = []
    tcd, lcm = TCDScheduler(prediction_type="v_prediction"), LCMScheduler(prediction_type="v_prediction")
    tcd.set_timesteps(COEFFICIENT_STEPS)
    lcm.set_timesteps(COEFFICIENT_STEPS)
    series += [(f"TCD, eta {eta:g}", color, tcd.coefficients(eta=eta)) for eta, color in ETAS.items()]
    series += [("LCM", PURPLE, lcm.coefficients())]
    figure = Figure(760, 330)
    for column, (name, limits) in enumerate({"A": (0, 1.05), "B": (-1.05, 0), "C": (0, 1.05)}.items()):
        left = 50 + column * 240
        panel = Panel(figure, (left, 30, left + 200, 230), (1, COEFFICIENT_STEPS), limits)
        panel.axes(name, range(1, COEFFICIENT_STEPS + 1), np.linspace(round(limits[0]), round(limits[1]), 5), "step")
        for label, color, table in series:
            points = [(step, row[column]) for step, row in enumerate(table, 1)]
            panel.line(points, color, dashes="5 4" if label == "LCM" else "none")
            panel.dots(points, color)
    for place, (label, color, _) in enumerate(series):
        figure.add("circle", cx=60 + place * 170, cy=306, r=5, fill=color)
        figure.text(72 + place * 170, 310, label, anchor="start", color=color)
    figure.save(out / "coefficients.svg")


Trail = list[tuple[str, float, np.ndarray]]
"""The latents after each part of a step: ``start``, ``down`` or ``noise``, the timestep, and their values."""


def _tcd_trail(pipe: Callable, eta: float) -> Trail:
    """Return the trajectory of TCD, with the deterministic part and the noise of each step apart."""
    from mindone_tcd.random import generator

    down: list[np.ndarray] = []
    up: list[np.ndarray] = []
    scheduler = pipe.scheduler

    def after(_pipe: object, _index: int, _t: object, tensors: dict) -> dict:
        up.append(tensors["latents"].asnumpy())
        return tensors

    start = generator(SEED).standard_normal((1, 4, 16, 16)).astype(np.float32)
    scheduler.observer = lambda _index, denoised: down.append(denoised.asnumpy())
    try:
        pipe(
            PROMPT,
            num_inference_steps=STEPS,
            guidance_scale=0,
            eta=eta,
            generator=generator(SEED),
            output_type="latent",
            callback_on_step_end=after,
        )
    finally:
        scheduler.observer = None
    ends = [*scheduler.timesteps_list[1:], 0]
    trail: Trail = [("start", 999, start)]
    for p, x_s, x_p in zip(ends, down, up, strict=True):
        trail += [("down", float(np.floor((1 - eta) * p)), x_s), ("noise", float(p), x_p)]
    return trail


def _ddim_trail(pipe: Callable) -> Trail:
    """Return the trajectory of the teacher: 50 steps of DDIM with guidance 3, from the same noise."""
    from mindone_tcd import DDIMScheduler
    from mindone_tcd.random import generator

    scheduler = pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
    found: list[np.ndarray] = []

    def after(_pipe: object, _index: int, _t: object, tensors: dict) -> dict:
        found.append(tensors["latents"].asnumpy())
        return tensors

    start = generator(SEED).standard_normal((1, 4, 16, 16)).astype(np.float32)
    pipe(
        PROMPT,
        num_inference_steps=50,
        guidance_scale=3,
        generator=generator(SEED),
        output_type="latent",
        callback_on_step_end=after,
    )
    times = [int(t) for t in scheduler.timesteps.asnumpy()]
    return [("start", times[0], start), *zip(["down"] * 50, [*times[1:], 0], found, strict=True)]


def trajectory(out: Path) -> None:
    """Draw one latent value over time, and the images of all trajectories."""
    import mindspore as ms

    from mindone_tcd import contact_sheet, load
    from mindone_tcd.generate.preview import Preview

    loaded = load("text-to-image")
    trails = {eta: _tcd_trail(loaded.pipeline, eta) for eta in ETAS}
    teacher = load("text-to-image", lora="none")
    ddim = _ddim_trail(teacher.pipeline)
    every = [float(latents[LATENT]) for trail in [*trails.values(), ddim] for _, _, latents in trail]
    low, high = np.floor(min(every) * 2) / 2, np.ceil(max(every) * 2) / 2

    figure = Figure(760, 640)
    boxes = [(50, 40, 370, 260), (420, 40, 740, 260), (50, 340, 370, 560), (420, 340, 740, 560)]
    ticks = list(np.arange(low, high + 0.1, 0.5))
    for (eta, trail), box in zip([(None, ddim), *trails.items()], boxes, strict=True):
        title = "DDIM, 50 steps, guidance 3" if eta is None else f"TCD, {STEPS} steps, eta {eta:g}"
        panel = Panel(figure, box, (999, 0), (low, high))
        panel.axes(title, [999, 750, 500, 250, 0], ticks, "timestep t")
        curve = [(t, float(latents[LATENT])) for _, t, latents in ddim]
        panel.line(curve, GRAY if eta is not None else PURPLE, 1.5 if eta is not None else 2)
        if eta is None:
            continue
        before = (trail[0][1], float(trail[0][2][LATENT]))
        panel.dots([before], ETAS[eta])
        for kind, t, latents in trail[1:]:
            here = (t, float(latents[LATENT]))
            panel.line([before, here], ETAS[eta], 2, "none" if kind == "down" else "3 3")
            if kind == "noise":
                panel.dots([here], ETAS[eta])
            before = here
    figure.text(
        395, 628, "solid: the model's step from t down to s.  dashed: new noise, back up to the next t.  gray: DDIM"
    )
    figure.save(out / "trajectory.svg")

    decode = Preview(loaded)
    shown = range(STEPS)
    rows = []
    for trail in trails.values():
        steps = [latents for kind, _, latents in trail if kind == "down"]
        rows.append([decode(ms.Tensor(steps[k]))[0] for k in shown])
    sheet = contact_sheet(rows, [f"eta {eta:g}" for eta in ETAS], [f"after step {k + 1}" for k in shown])
    # Fewer levels of each color make the file small; the difference is not visible.
    sheet = Image.fromarray(np.asarray(sheet) & 0xF8 | 0x04)
    sheet.save(out / "estimates.png", optimize=True)
    print(out / "estimates.png")


PLOTS = {"schedule": schedule, "coefficients": coefficients, "trajectory": trajectory}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PLOTS, help="draw one plot only")
    parser.add_argument("--out", type=Path, default=ASSETS)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for name, draw in PLOTS.items():
        if args.only in (None, name):
            draw(args.out)


if __name__ == "__main__":
    main()
