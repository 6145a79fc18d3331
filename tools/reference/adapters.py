"""Make the stored references of the adapter tests: outputs of tiny models with adapters, by diffusers on torch.

    python tools/reference/adapters.py

The weights of the models and of the adapters are drawn from seeds (tests/adapters/tiny.py, layouts.py), so only the
outputs are stored.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "adapters"))

import cases
import tiny


def make(names: list[str] | None = None) -> dict[str, np.ndarray]:
    """For each case and each model of the pipeline, "case: model" → the output, float32."""
    found = {}
    for name in names or cases.CASES:
        case = cases.CASES[name]
        pipe = tiny.torch_pipeline(case.config)
        with tempfile.TemporaryDirectory() as folder:
            cases.load(pipe, case.files(), Path(folder))
        case.then(pipe)
        found |= {f"{name}: {model}": out for model, out in tiny.torch_outputs(pipe, case.config).items()}
    return found


if __name__ == "__main__":
    np.savez_compressed(cases.REFERENCES, **make())
    print(cases.REFERENCES, cases.REFERENCES.stat().st_size)
