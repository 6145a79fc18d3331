"""Run the comparison cases of the pipelines in diffusers on torch.

    python tools/reference/pipelines.py            # stores every case in tests/parity/references.npz
    python tools/reference/pipelines.py NAME ...   # stores only these cases
    python tools/reference/pipelines.py --measure [NAME ...]   # the table of docs/pipelines.md, both sides live

The images are in float32. The noise comes from the PCG64 generators that mindone uses, in the same order.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
import transformers
from diffusers.utils.peft_utils import set_weights_and_activate_adapters

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "parity"))
sys.path.insert(0, str(Path(__file__).parents[1] / "shapes"))
sys.path.insert(0, str(Path(__file__).parent))
import parity_case
from family import load_controlnet
from parity_cases import CASES, REFERENCES
from replayed_noise import numpy_streams

from mindone_tcd.tiny_models import make


class Torch:
    """diffusers on torch."""

    told_all = True

    def get(self, name: str) -> Any:
        if name == "ControlNetModel":
            return ControlNet
        return getattr(diffusers, name, None) or getattr(transformers, name)

    def tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array)

    def array(self, tensor: Any) -> np.ndarray:
        return tensor if isinstance(tensor, np.ndarray) else tensor.detach().numpy()

    def noise(self) -> contextlib.AbstractContextManager:
        """A context in which all noise of diffusers comes from the NumPy generators."""
        return numpy_streams()

    def set_up(self, pipe: Any, method: str, args: tuple, options: dict) -> None:
        """Call a method of a pipeline, or do the same where diffusers needs a UNet with one number of layers."""
        if isinstance(pipe.unet.config.layers_per_block, int) or method not in ("set_adapters", "set_ip_adapter_scale"):
            getattr(pipe, method)(*args, **options)
        elif method == "set_adapters":
            set_weights_and_activate_adapters(pipe.unet, *args)
        else:
            for processor in pipe.unet.attn_processors.values():
                if hasattr(processor, "scale"):
                    processor.scale = [*args]


class ControlNet:
    """Loads a ControlNet, also one with a number of layers for each block, which diffusers cannot build."""

    @staticmethod
    def from_pretrained(folder: str, **options: Any) -> diffusers.ControlNetModel:
        layers = json.loads((Path(folder) / "config.json").read_text())["layers_per_block"]
        if isinstance(layers, list):
            return load_controlnet(Path(folder))
        return diffusers.ControlNetModel.from_pretrained(folder, **options)


def runner(folders: parity_case.Folders) -> parity_case.Runner:
    """Runs cases with diffusers."""
    # diffusers and peft print a long warning for each adapter that does not change every module.
    warnings.filterwarnings("ignore", "While injecting the PEFT adapters", RuntimeWarning)
    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)  # several threads slow down models of this size
    return parity_case.Runner(Torch(), folders)


def store(names: list[str], folders: parity_case.Folders) -> None:
    """Run these cases and add their results to the stored references."""
    kept, theirs = dict(np.load(REFERENCES)) if REFERENCES.exists() else {}, runner(folders)
    for name in names:
        kept[name] = parity_case.kept(CASES[name], theirs(CASES[name]))
        print(f"{name} {kept[name].shape}, standard deviation {kept[name].std():.3f}", flush=True)
        np.savez_compressed(REFERENCES, **kept)
    if set(names) == set(CASES):
        depths = {name: parity_case.depth(theirs.framework, folders, name) for name in parity_case.DEPTHS}
        kept = {name: kept[name] for name in CASES} | depths
        np.savez_compressed(REFERENCES, **kept)
    print(REFERENCES, REFERENCES.stat().st_size)


def measure(names: list[str], folders: parity_case.Folders) -> None:
    """Print a row for each use, pipeline and method, with the largest difference of its cases."""
    ours, theirs = parity_case.Runner(parity_case.Mindone(), folders), runner(folders)
    rows: dict[tuple[str, str, str], dict[str, float]] = {}
    for name in names:
        case = CASES[name]
        start = time.perf_counter()
        found = ours(case)
        seconds = time.perf_counter() - start
        wanted = theirs(case)
        away = float(np.abs(found - wanted).max() / max(1.0, np.abs(wanted).max()))
        rows.setdefault((case.use, case.pipeline, case.method), {})[name] = away
        print(f"{name} {away:.1e} ({seconds:.1f} s)", file=sys.stderr, flush=True)
    print("| use | pipeline | method | cases | largest difference |\n|---|---|---|---|---|")
    for row, found in rows.items():
        use, pipeline, method = row
        print(f"| {use} | `{pipeline}` | {method} | {len(found)} | {max(found.values()):.1e} |")
    if set(names) == set(CASES):
        away = []
        for name in parity_case.DEPTHS:
            found, wanted = (parity_case.depth(side.framework, folders, name) for side in (ours, theirs))
            away.append(float(np.abs(found - wanted).max() / max(1.0, np.abs(wanted).max())))
        print(f"| depth maps | `DPTForDepthEstimation` | | {len(away)} | {max(away):.1e} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(CASES)}")
    parser.add_argument("--measure", action="store_true", help="compare with mindone live and print the table")
    args = parser.parse_args()
    unknown = sorted(set(args.names) - set(CASES))
    if unknown:
        parser.error(f"no case {', '.join(unknown)}; there is: {', '.join(CASES)}")
    with tempfile.TemporaryDirectory() as root:
        made: dict[tuple[str, int], Path] = {}

        def folders(name: str, seed: int = 0) -> Path:
            if (name, seed) not in made:
                made[name, seed] = make(name, Path(root) / f"{name}-{seed}", seed=seed)
            return made[name, seed]

        (measure if args.measure else store)(args.names or list(CASES), folders)


if __name__ == "__main__":
    main()
