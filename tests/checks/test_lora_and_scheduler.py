"""A pipeline warns of a LoRA that was distilled for another scheduler, whatever its own scheduler is."""

import warnings

import pytest
from untouched import Untouched, stop

import mindone_tcd
from mindone_tcd.adapters import loaded_loras

pytestmark = pytest.mark.slow

FILE = "pytorch_lora_weights.safetensors"


@pytest.fixture(scope="module")
def pipes(folders):
    loaded = {}

    def get(base):
        if base not in loaded:
            loaded[base] = mindone_tcd.DiffusionPipeline.from_pretrained(str(folders(base)))
        return loaded[base]

    return get


@pytest.fixture
def pipe(pipes, monkeypatch):
    """A pipeline that stops where its work would begin."""
    taken = []

    def get(base):
        pipe = pipes(base)
        taken.append((pipe, pipe.scheduler))
        monkeypatch.setattr(pipe, "encode_prompt", stop)
        return pipe

    yield get
    for pipe, scheduler in taken:
        pipe.scheduler = scheduler
        if loaded_loras(pipe):
            pipe.delete_adapters(list(loaded_loras(pipe)))
            pipe.unload_lora_weights()


def warned(pipe) -> list[str]:
    """The warnings of a call."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with pytest.raises(Untouched):
            pipe("a red circle", num_inference_steps=2, guidance_scale=0)
    return [str(warning.message) for warning in seen if "distilled" in str(warning.message)]


@pytest.mark.parametrize("method", ["TCD", "LCM"])
@pytest.mark.parametrize(
    ("base", "scheduler"),
    [
        ("sdxl", None),  # EulerDiscreteScheduler
        ("sd15", None),  # PNDMScheduler
        ("sd15", "DDIMScheduler"),
        ("sd15", "TCDScheduler"),
        ("sd15", "LCMScheduler"),
    ],
)
def test_the_right_scheduler_is_named(pipe, folders, base, scheduler, method):
    pipe = pipe(base)
    if scheduler:
        pipe.scheduler = getattr(mindone_tcd, scheduler).from_config(pipe.scheduler.config)
    pipe.load_lora_weights(str(folders(f"lora-{base}", method=method)), weight_name=FILE, adapter_name="mine")
    found = warned(pipe)
    if scheduler == f"{method}Scheduler":
        assert found == []
        return
    (message,) = found
    name = type(pipe.scheduler).__name__
    assert message.startswith(f"the LoRA 'mine' was distilled for {method}, but the scheduler is {name}; ")
    # The line in the warning fixes the problem.
    line = message.split("use ")[1].split(", or")[0]
    assert line == f"pipe.scheduler = {method}Scheduler.from_config(pipe.scheduler.config)"
    exec(line, vars(mindone_tcd) | {"pipe": pipe, f"{method}Scheduler": getattr(mindone_tcd, f"{method}Scheduler")})
    assert warned(pipe) == []


def test_the_warning_considers_only_active_loras(pipe, folders):
    pipe = pipe("sd15")
    pipe.load_lora_weights(str(folders("lora-sd15", method="LCM")), weight_name=FILE, adapter_name="fast")
    pipe.load_lora_weights(str(folders("lora-sd15")), weight_name=FILE, adapter_name="style")
    pipe.set_adapters(["style"])
    assert not warned(pipe)
    pipe.set_adapters(["style", "fast"], [1.0, 0.0])
    assert not warned(pipe)
    pipe.set_adapters(["style", "fast"], [1.0, 0.5])
    assert warned(pipe)
    pipe.disable_lora()
    assert not warned(pipe)
    pipe.enable_lora()
    pipe.fuse_lora(adapter_names=["fast"])
    pipe.set_adapters(["style"])
    assert warned(pipe)  # it is in the weights
    pipe.delete_adapters("fast")
    assert not warned(pipe)


def test_after_unloading_only_fused_loras_count(pipe, folders, monkeypatch):
    pipe = pipe("sd15")
    lora = str(folders("lora-sd15", method="TCD"))
    pipe.load_lora_weights(lora, weight_name=FILE, adapter_name="unfused")
    pipe.fuse_lora()
    pipe.unfuse_lora()
    pipe.unload_lora_weights()
    assert not warned(pipe)
    pipe.load_lora_weights(lora, weight_name=FILE, adapter_name="fused")
    pipe.fuse_lora()
    pipe.unload_lora_weights()
    try:
        assert loaded_loras(pipe) == {}
        assert len(warned(pipe)) == 1
        assert "'fused' was distilled for TCD" in warned(pipe)[0]
        other = mindone_tcd.StableDiffusionImg2ImgPipeline(**pipe.components, requires_safety_checker=False)
        monkeypatch.setattr(other, "check_inputs", stop)
        assert len(warned(other)) == 1
    finally:
        object.__delattr__(pipe.unet, "_mindone_tcd_fused_loras")


@pytest.mark.parametrize(
    ("folder", "file", "method"),
    [
        ("tcd-project", "papercut.safetensors", None),
        ("tcd-project", FILE, "tcd"),
        ("tcd-project", "lora_sdxl.fp16.safetensors", "tcd"),
        ("tcd-project", "lcm_style.safetensors", "lcm"),
        ("atcdb", FILE, None),
        ("TCDx1", FILE, None),
    ],
)
def test_the_folder_name_counts_only_if_the_file_name_is_generic(pipe, folders, tmp_path, folder, file, method):
    pipe = pipe("sd15")
    (tmp_path / folder).mkdir()
    (tmp_path / folder / file).write_bytes((folders("lora-sd15") / FILE).read_bytes())
    pipe.load_lora_weights(str(tmp_path / folder), weight_name=file, adapter_name="a")
    pipe.load_lora_weights(str(tmp_path / folder / file), adapter_name="b")
    assert {name: lora.distillation for name, lora in loaded_loras(pipe).items()} == {"a": method, "b": method}
    assert len(warned(pipe)) == (method is not None)  # the one loaded last is active
