"""The code of the guides runs with `import mindone_tcd`, offline, from a hub cache of tiny random models."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hubs import cached_snapshot

from mindone_tcd.tiny_models import make

SCRIPT = Path(__file__).with_name("guides.py")
GUIDES = [
    "text_to_image",
    "inpainting",
    "controlnet",
    "t2i_adapter",
    "ip_adapter",
    "animatediff",
    "lcm_image_to_image",
    "lcm_lora",
]
MODELS = {
    "stabilityai/stable-diffusion-xl-base-1.0": "sdxl",
    "diffusers/stable-diffusion-xl-1.0-inpainting-0.1": "sdxl-inpainting",
    "h1t/TCD-SDXL-LoRA": "lora-sdxl",
    "latent-consistency/lcm-lora-sdxl": "lora-sdxl",
    "diffusers/controlnet-canny-sdxl-1.0": "controlnet-sdxl",
    "TencentARC/t2i-adapter-canny-sdxl-1.0": "t2i-adapter-sdxl",
    "h94/IP-Adapter": "ip-adapter",
    "guoyww/animatediff-motion-adapter-v1-5": "motion-adapter",
    "guoyww/animatediff-motion-lora-zoom-in": "motion-lora",
    "frankjoshua/toonyou_beta6": "sd15",
    "h1t/TCD-SD15-LoRA": "lora-sd15",
    "SimianLuo/LCM_Dreamshaper_v7": "lcm-sd15",
    "Lykon/dreamshaper-7": "sd15",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home folder of the hub client, with the models of the guides in its cache."""
    home = tmp_path_factory.mktemp("hub")
    for name, model in MODELS.items():
        snapshot = make(model, cached_snapshot(home / "hub", name))
        if model == "sdxl":
            half = make(model, home / "half", variant="fp16")
            for file in half.rglob("*.fp16.safetensors"):
                file.rename(snapshot / file.relative_to(half))
    return home


def run(home, folder, first, guides):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(home), "GLOG_v": "4", "MINDONE_TCD_PATCHES": ""}
    ran = subprocess.run(
        [sys.executable, str(SCRIPT), first, *guides],
        capture_output=True,
        text=True,
        env=environment,
        cwd=folder,
        timeout=7200,
        check=False,
    )
    lines = [line.removeprefix("ran ") for line in ran.stdout.splitlines() if line.startswith("ran ")]
    assert (lines, ran.returncode) == (list(guides), 0), ran.stderr[-3000:]


def test_text_to_image_after_mindone_was_imported(home, tmp_path):
    run(home, tmp_path, "mindone", ["text_to_image"])


@pytest.mark.slow
@pytest.mark.parametrize("first", ["mindone", "mindone_tcd"])
def test_every_guide(home, tmp_path, first):
    run(home, tmp_path, first, GUIDES)
