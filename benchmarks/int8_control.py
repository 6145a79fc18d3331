"""Compare the images of a ControlNet pipeline with int8 weights and with float32 weights.

    python benchmarks/int8_control.py [--control canny] [--prompts 32]

Each prompt names a combination that training never saw; the control map is that of the drawing of the prompt. Both
pipelines use the same seeds and 4 steps. The differences of the pixels are of 255. "right" is the share of the images
that the judge accepts at an overlap of 0.8 and 0.9, in percent.
"""

from __future__ import annotations

import argparse

import numpy as np
from harness import machine, table
from samplers import unseen_scenes

from mindone_tcd.shapes.drawing import draw
from mindone_tcd.shapes.judge import STRICT_OVERLAP, read_with_features, verdict_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--control", choices=("canny", "depth", "normal"), default="canny")
    parser.add_argument("--prompts", type=int, default=32)
    args = parser.parse_args()
    print(machine("mindspore", "mindone"))

    from PIL import Image

    from mindone_tcd import load

    scenes, prompts = unseen_scenes(args.prompts, 0.0, seed=31337)
    rng = np.random.default_rng(0)
    drawings = [Image.fromarray((255 * draw(scene, 128, rng)).round().astype(np.uint8)) for scene in scenes]
    made = {}
    for name, kind in (("float32", None), ("int8", "int8")):
        pipe = load("controlnet", control=args.control, quantize=kind)
        pipe.pipeline.set_progress_bar_config(disable=True)
        pairs = zip(prompts, drawings, strict=True)
        images = [pipe(prompt, control=drawing, seed=k)[0].image for k, (prompt, drawing) in enumerate(pairs)]
        made[name] = np.stack([np.asarray(image, np.float32) for image in images])
    rows = []
    for name, images in made.items():
        readings = [read_with_features(image / 255)[0] for image in images]
        verdicts = [verdict_of(reading, scene) for reading, scene in zip(readings, scenes, strict=True)]
        shares = np.mean([v.right for v in verdicts]), np.mean([v.right_at(STRICT_OVERLAP) for v in verdicts])
        each = abs(images - made["float32"]).reshape(len(images), -1).mean(axis=1)
        right = " / ".join(f"{100 * share:.1f}" for share in shares)
        rows.append((name, f"{each.mean():.3f}", f"{np.median(each):.3f}", f"{each.max():.3f}", right))
    table((f"ControlNet, {args.control}", "mean difference", "median image", "worst image", "right, %"), rows)


if __name__ == "__main__":
    main()
