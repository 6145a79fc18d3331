import importlib
import inspect
import json

import mindone.diffusers
import numpy as np
import pytest
from kinds import EVERY, KINDS

from mindone_tcd.schedulers import LCMScheduler, TCDScheduler, base

# The scheduler configurations of well-known checkpoints.
SDXL_EULER = {
    "_class_name": "EulerDiscreteScheduler",
    "_diffusers_version": "0.19.0.dev0",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "clip_sample": False,
    "interpolation_type": "linear",
    "num_train_timesteps": 1000,
    "prediction_type": "epsilon",
    "sample_max_value": 1.0,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "timestep_spacing": "leading",
    "trained_betas": None,
    "use_karras_sigmas": False,
}
SD15_PNDM = {
    "_class_name": "PNDMScheduler",
    "_diffusers_version": "0.6.0",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "num_train_timesteps": 1000,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "trained_betas": None,
    "clip_sample": False,
}
SD21_DDIM = {**SD15_PNDM, "_class_name": "DDIMScheduler", "prediction_type": "v_prediction"}


@pytest.fixture(autouse=True)
def _warn_again():
    base._warn_once.cache_clear()


@pytest.fixture
def log(caplog):
    """All log messages, including the warnings of mindone."""
    mindone.diffusers.utils.logging.enable_propagation()
    yield caplog
    mindone.diffusers.utils.logging.disable_propagation()


@EVERY
@pytest.mark.parametrize("config", [SDXL_EULER, SD15_PNDM, SD21_DDIM], ids=lambda config: config["_class_name"])
def test_configurations_of_checkpoints_cause_no_log_message(kind, config, log):
    scheduler = kind.from_config(config)
    assert scheduler.config.prediction_type == config.get("prediction_type", "epsilon")
    assert scheduler.config.steps_offset == 1
    scheduler.set_timesteps(4)
    assert scheduler.timesteps_list == [999, 759, 499, 259]
    assert log.text == ""


@EVERY
@pytest.mark.parametrize("name", [*KINDS, *base.COMPATIBLE])
def test_every_compatible_scheduler_converts_both_ways(kind, name, log):
    # Their constructors need kernels that a CPU lacks, so the test compares only the configurations.
    other = getattr(mindone.diffusers, name)
    theirs = {key: p.default for key, p in inspect.signature(other.__init__).parameters.items() if key != "self"}
    scheduler = kind.from_config({**theirs, "_class_name": name, "timestep_spacing": "leading", "beta_end": 0.015})
    assert scheduler.config.beta_end == 0.015
    back = other.extract_init_dict(scheduler.config)[0]
    assert back["beta_end"] == 0.015
    assert "not expected" not in log.text


@EVERY
def test_options_of_other_schedulers_survive(kind):
    scheduler = kind.from_config({**SDXL_EULER, "use_karras_sigmas": True})
    assert mindone.diffusers.EulerDiscreteScheduler.extract_init_dict(scheduler.config)[0]["use_karras_sigmas"]


@pytest.mark.parametrize(
    ("config", "origin"),
    [
        ({"num_train_timesteps": 1000, "shift": 3.0, "use_dynamic_shifting": False}, "a flow-matching scheduler"),
        ({"sigma_min": 0.002, "sigma_max": 80.0, "sigma_data": 0.5}, "an EDM scheduler"),
    ],
)
def test_configurations_without_betas_are_refused_without_a_class_name(config, origin):
    with pytest.raises(ValueError, match=f"the configuration is of {origin}"):
        TCDScheduler.from_config(config)


def test_a_fresh_scheduler_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="the configuration is of a flow-matching scheduler, whose models are not"):
        LCMScheduler.from_config(mindone.diffusers.FlowMatchEulerDiscreteScheduler().config)


@EVERY
@pytest.mark.parametrize("origin", ["FlowMatchEulerDiscreteScheduler", "EDMEulerScheduler"])
def test_models_without_alphas_are_refused(kind, origin):
    with pytest.raises(ValueError, match=f"the configuration is of {origin}.*not trained on a schedule of betas"):
        kind.from_config({"_class_name": origin, "num_train_timesteps": 1000})


@EVERY
@pytest.mark.parametrize("options", [{"timestep_spacing": "trailing"}, {"steps_offset": 2}])
def test_options_without_effect_cause_one_warning(kind, options, caplog):
    for _ in range(3):
        kind(**options)
        kind.from_config(SDXL_EULER, **options)
    assert len(caplog.records) == 1
    ((option, value),) = options.items()
    assert f"{kind.__name__} does not use {option}={value!r} and ignores it" in caplog.text


@pytest.mark.parametrize("options", [{"clip_sample": True}, {"thresholding": True}, {"timestep_scaling": 5.0}])
def test_tcd_warns_of_options_that_only_lcm_supports(options, caplog):
    LCMScheduler(**options)
    assert not caplog.records
    TCDScheduler(**options)
    assert "LCMScheduler" in caplog.text


@EVERY
def test_compatibles_list_usable_classes(kind):
    compatibles = kind().compatibles
    assert compatibles[0] is kind
    assert {*KINDS.values(), mindone.diffusers.EulerDiscreteScheduler} <= set(compatibles)
    assert len(compatibles) == len(KINDS) + len(base.COMPATIBLE)


@EVERY
def test_saved_and_loaded(kind, tmp_path):
    betas = np.linspace(0.01, 0.02, 20)
    scheduler = kind(
        num_train_timesteps=20, trained_betas=betas, original_inference_steps=10, prediction_type="v_prediction"
    )
    scheduler.save_pretrained(tmp_path)
    stored = json.loads((tmp_path / "scheduler_config.json").read_text())
    assert stored["_class_name"] == kind.__name__
    loaded = kind.from_pretrained(tmp_path)
    assert type(loaded) is kind
    assert np.array_equal(loaded.alphas_cumprod.asnumpy(), scheduler.alphas_cumprod.asnumpy())
    for name, value in kind(num_train_timesteps=20).config.items():
        assert name in ("trained_betas", "_use_default_values") or loaded.config[name] == scheduler.config[name], value


@EVERY
def test_defaults_and_names_are_those_of_mindone(kind):
    file = f"scheduling_{kind.__name__.removesuffix('Scheduler').lower()}"
    theirs = getattr(importlib.import_module(f"mindone.diffusers.schedulers.{file}"), kind.__name__)

    def defaults(function):
        return {name: p.default for name, p in inspect.signature(function).parameters.items()}

    assert defaults(kind.__init__) == defaults(theirs.__init__)
    assert list(defaults(kind.step).items())[: len(defaults(theirs.step))] == list(defaults(theirs.step).items())
    assert defaults(kind.set_timesteps) == defaults(theirs.set_timesteps)
    assert kind.order == theirs.order
    ours, original = kind(), theirs()
    for name in ("betas", "alphas", "alphas_cumprod", "final_alpha_cumprod"):
        np.testing.assert_allclose(getattr(ours, name).asnumpy(), getattr(original, name).asnumpy(), rtol=2e-6)
    assert ours.init_noise_sigma == original.init_noise_sigma
    assert ours.scale_model_input(ours.betas, 3) is ours.betas
    assert kind(set_alpha_to_one=False).final_alpha_cumprod.asnumpy() == ours.alphas_cumprod.asnumpy()[0]


@pytest.mark.parity
@EVERY
def test_diffusers_loads_saved_schedulers(kind, tmp_path):
    import diffusers

    kind.from_config(SDXL_EULER).save_pretrained(tmp_path)
    loaded = getattr(diffusers, kind.__name__).from_pretrained(tmp_path)
    assert loaded.config.beta_start == 0.00085
    assert kind.from_config(diffusers.EulerDiscreteScheduler.from_config(loaded.config).config).config.steps_offset == 1
