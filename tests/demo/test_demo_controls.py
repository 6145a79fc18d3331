"""The fields of a form."""

import pytest

gr = pytest.importorskip("gradio", reason='the demo needs pip install -e ".[demo]"')

from mindone_tcd.demo import controls  # noqa: E402
from mindone_tcd.demo.limits import MOST_SEED  # noqa: E402
from mindone_tcd.demo.offers import offers  # noqa: E402
from mindone_tcd.demo.options import Options  # noqa: E402


def form(model, task="text-to-image", **more):
    offer = next(offer for offer in offers(Options(model=model)) if offer.task == task)
    with gr.Blocks(analytics_enabled=False):
        return offer, controls.controls(offer, controls.prompt_box("x"), **more)


def test_the_values_at_first_are_the_recipe_of_the_model():
    _, made = form("shapes", sized=True)
    assert [each.value for each in made.common] == ["x", "", 0, 4, 0, "tcd", 0.3, True]
    assert [(each.minimum, each.value, each.maximum, each.step) for each in made.size] == [(96, 128, 192, 8)] * 2
    assert (made.steps.minimum, made.steps.maximum) == (1, 8)
    assert form("shapes", "image-to-image", steps=8)[1].steps.value == 8


def test_a_latent_consistency_model_has_no_eta():
    _, made = form("shapes-lcm")
    assert (made.method.value, made.guidance_scale.value, made.guidance_scale.maximum) == ("lcm", 8, 16)
    assert made.eta.interactive is False


def test_another_method_changes_the_fields():
    offer, _ = form("shapes")
    eta, guidance = controls._fields_of(offer, "lcm")
    assert (eta["interactive"], guidance["value"]) == (False, 0)
    assert controls._fields_of(offer, "tcd")[0]["interactive"] is True


def test_seeds():
    assert controls.next_seed(False, 7) == 7
    assert controls.next_seed(False, None) == 0
    seeds = {controls.next_seed(True, 7) for _ in range(20)}
    assert len(seeds) == 20
    assert all(0 <= seed <= MOST_SEED for seed in seeds)
