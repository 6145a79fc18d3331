"""Generate the stored references of the adapter tests: outputs of tiny models with adapters, from diffusers on torch.

    python tools/reference/adapters.py

The weights of the models and adapters come from seeds (tests/adapters/tiny.py, layouts.py), so only the outputs are
stored.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "adapters"))

import cases
import ip_cases
import tiny


def make(names: list[str] | None = None) -> dict[str, np.ndarray]:
    """For each case and each model of the pipeline, "case: model" → the output, float32."""
    found = {}
    for name in cases.CASES if names is None else names:
        case = cases.CASES[name]
        pipe = tiny.torch_pipeline(case.config)
        with tempfile.TemporaryDirectory() as folder:
            cases.load(pipe, case.files(), Path(folder))
        case.then(pipe)
        found |= {f"{name}: {model}": out for model, out in tiny.torch_outputs(pipe, case.config).items()}
    return found


def make_ip(names: list[str] | None = None) -> dict[str, np.ndarray]:
    """The outputs for the cases of IP-Adapters and their image encoder."""
    import torch

    found = {}
    for name in ip_cases.CASES if names is None else names:
        case = ip_cases.CASES[name]
        pipe = tiny.torch_pipeline(case.config)
        with tempfile.TemporaryDirectory() as folder:
            ip_cases.load(pipe, case, Path(folder))
        with torch.no_grad():
            out = ip_cases.outputs(pipe, case, torch.from_numpy)
        found |= {f"{name}: {model}": value.numpy() for model, value in out.items()}
    return found


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    np.savez_compressed(cases.REFERENCES, **make(), **make_ip())
    print(cases.REFERENCES, cases.REFERENCES.stat().st_size)
