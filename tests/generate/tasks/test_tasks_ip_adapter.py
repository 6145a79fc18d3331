"""IP-Adapters with tiny models."""

import pytest
from tiny_tasks import SIDE, apart, made, mask, opened, photo

from mindone_tcd.errors import UsageError
from mindone_tcd.random import generator


@pytest.fixture(scope="module")
def loaded(folders):
    return opened("ip-adapter", folders("sdxl"), ip_adapter=folders("ip-adapter"))


def test_the_reference_and_the_seed_determine_the_result(loaded):
    first = made(loaded, reference=photo(1))
    assert first.shape == (SIDE, SIDE, 3)
    assert (made(loaded, reference=photo(1)) == first).all()
    assert apart(made(loaded, reference=photo(2)), first) > 1e-4
    assert apart(made(loaded, reference=photo(1), seed=1), first) > 1e-2


def test_it_is_the_call_of_the_guides(loaded):
    ours = made(loaded, reference=photo(1), reference_scale=0.7, seed=3)
    loaded.pipeline.pipe.set_ip_adapter_scale(0.7)
    theirs = loaded.pipeline.pipe(
        "a cat",
        ip_adapter_image=photo(1),
        num_inference_steps=2,
        guidance_scale=0,
        eta=0.3,
        generator=generator(3),
        output_type="np",
    )[0][0]
    assert (ours == theirs).all()


def test_with_the_scale_0_there_is_no_adapter(loaded, folders):
    plain = made(opened("text-to-image", folders("sdxl")))
    without = made(loaded, reference=photo(1), reference_scale=0)
    assert (made(loaded, reference=photo(2), reference_scale=0) == without).all()
    # The adapter's attention layers do the same operations in another order.
    assert apart(without, plain) < 1e-6
    assert apart(made(loaded, reference=photo(1), reference_scale=1), plain) > 1e-4, "the scale stayed at 0"


def test_each_call_has_its_own_scale(loaded):
    first = made(loaded, reference=photo(1))
    made(loaded, reference=photo(1), reference_scale=0.1)
    assert (made(loaded, reference=photo(1)) == first).all()
    assert (made(loaded, reference=photo(1), reference_scale=0.5) == first).all(), "the default of the guides"


def test_the_reference_has_no_effect_on_the_size(loaded):
    assert made(loaded, reference=photo(1, (120, 30))).shape == (SIDE, SIDE, 3)


def test_the_record_has_the_reference_and_its_scale(loaded):
    record = loaded("a cat", reference=photo(1), reference_scale=0.3, steps=2)[0].record
    (entry,), (part,) = record["inputs"], record["parts"]
    assert (entry["slot"], entry["scale"], part["role"]) == ("reference", 0.3, "ip-adapter")
    assert len(part["sha256"]) == 64


@pytest.mark.parametrize(("task", "base"), [("image-to-image", "sdxl"), ("inpainting", "sdxl"), ("ip-adapter", "sd15")])
def test_an_adapter_with_another_task_and_family(folders, task, base):
    loaded = opened(task, folders(base), ip_adapter=folders("ip-adapter"))
    call = {"image-to-image": {"image": photo(3)}, "inpainting": {"image": photo(3), "mask": mask()}}.get(task, {})
    assert apart(made(loaded, reference=photo(1), **call), made(loaded, reference=photo(2), **call)) > 1e-5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({}, "ip-adapter needs reference: the image to resemble"),
        ({"reference": [photo(1)]}, "reference has the type list"),
        ({"reference": photo(1), "reference_scale": -0.1}, "reference_scale is -0.1; expected a number from 0 to 100"),
        ({"reference": photo(1), "image": photo(1)}, "does not take image; it takes: reference, reference_scale"),
    ],
)
def test_wrong_arguments_are_refused_before_any_work(loaded, call, message):
    before = len(loaded.pipeline.calls)
    with pytest.raises(UsageError, match=message):
        loaded("a cat", **{"steps": 2, **call})
    assert len(loaded.pipeline.calls) == before
