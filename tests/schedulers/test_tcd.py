import copy
import pickle

import mindspore as ms
import numpy as np
import pytest

from mindone_tcd.random import generator, generators, randn, standard_normal
from mindone_tcd.schedulers import TCDScheduler

SHAPE = (2, 4, 4, 4)


@pytest.fixture
def scheduler():
    scheduler = TCDScheduler()
    scheduler.set_timesteps(4)
    return scheduler


@pytest.fixture
def sample():
    return randn(SHAPE, generator(1))


@pytest.fixture
def output():
    return randn(SHAPE, generator(2))


def stepped(scheduler, output, sample, **options):
    for timestep in scheduler.timesteps:
        sample = scheduler.step(output, timestep, sample, **options)[0]
    return sample.asnumpy()


@pytest.mark.parametrize("eta", [0.0, 0.3, 0.77, 1.0])
@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample"])
def test_table_equals_the_papers_equations(kind, eta):
    scheduler = TCDScheduler(prediction_type=kind)
    scheduler.set_timesteps(8)
    alphas = scheduler.alphas_cumprod.asnumpy().astype(np.float64)
    rng, grid = np.random.default_rng(0), scheduler.timesteps_list
    x, m, z = rng.standard_normal((3, 100))
    for t, p, (a, b, c) in zip(grid, [*grid[1:], 0], scheduler.coefficients(eta), strict=True):
        s = int(np.floor((1 - eta) * p))
        signal, sigma = np.sqrt(alphas[t]), np.sqrt(1 - alphas[t])
        if kind == "epsilon":
            x0, epsilon = (x - sigma * m) / signal, m
        elif kind == "v_prediction":
            x0, epsilon = signal * x - sigma * m, signal * m + sigma * x
        else:
            x0, epsilon = m, (x - signal * m) / sigma
        expected = np.sqrt(alphas[s]) * x0 + np.sqrt(1 - alphas[s]) * epsilon
        if p:
            expected = np.sqrt(alphas[p] / alphas[s]) * expected + np.sqrt(1 - alphas[p] / alphas[s]) * z
        np.testing.assert_allclose(a * x + b * m + c * z, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("steps", [1, 2, 4, 8, 50])
def test_a_step_undoes_the_noise_of_a_perfect_model(steps):
    """With the true noise as model output and eta 0, every sample is the clean sample with the noise of its
    timestep."""
    scheduler = TCDScheduler()
    scheduler.set_timesteps(steps)
    clean, noise = standard_normal((2, 50), generator(0))
    alphas = scheduler.alphas_cumprod.asnumpy().astype(np.float64)
    x = ms.Tensor(np.sqrt(alphas[999]) * clean + np.sqrt(1 - alphas[999]) * noise, ms.float64)
    for t, p in zip(scheduler.timesteps_list, [*scheduler.timesteps_list[1:], 0], strict=True):
        x = scheduler.step(ms.Tensor(noise), t, x, eta=0)[0]
        np.testing.assert_allclose(x.asnumpy(), np.sqrt(alphas[p]) * clean + np.sqrt(1 - alphas[p]) * noise, atol=1e-9)


def test_s_is_floored_in_float32():
    """(1-0.3) · 170 is 119 in float32 but 118.99… in float64, and diffusers floors in float32."""
    disagreeing = [
        (eta, p)
        for eta in np.arange(1, 100) / 100
        for p in range(1, 1000)
        if np.floor(np.float32(1 - eta) * np.float32(p)) != np.floor((1 - eta) * p)
    ]
    assert disagreeing
    scheduler = TCDScheduler()
    alphas = scheduler.alphas_cumprod.asnumpy().astype(np.float64)
    for eta, p in disagreeing[::20]:
        scheduler.set_timesteps(timesteps=[999, p])
        s = int(np.floor(np.float32(1 - eta) * np.float32(p)))
        assert scheduler.coefficients(eta)[0][2] == pytest.approx(np.sqrt(1 - alphas[p] / alphas[s]), rel=1e-12)


def test_the_last_step_reaches_the_first_alpha(scheduler):
    a, _, c = scheduler.coefficients()[-1]
    alphas = scheduler.alphas_cumprod.asnumpy().astype(np.float64)
    assert a == pytest.approx(np.sqrt(alphas[0] / alphas[259]), rel=1e-12)
    assert c == 0
    assert 0.99914 < alphas[0] < 0.99916


def test_eta_belongs_to_the_step(scheduler, sample, output):
    fresh = TCDScheduler()
    fresh.set_timesteps(4)
    for eta in (0.3, 1.0, 0.0, 0.3):
        ours = scheduler.step(output, 759, sample, eta=eta, generator=generator(3))[0]
        theirs = fresh.step(output, 759, sample, eta=eta, generator=generator(3))[0]
        assert np.array_equal(ours.asnumpy(), theirs.asnumpy())
        fresh.set_timesteps(4)
    default = scheduler.step(output, 759, sample, generator=generator(3))[0]
    assert np.array_equal(default.asnumpy(), ours.asnumpy())
    scheduler.step(output, 759, sample, eta=0.0)  # None means the default, not the eta of the previous step
    none = scheduler.step(output, 759, sample, eta=None, generator=generator(3))[0]
    assert np.array_equal(none.asnumpy(), ours.asnumpy())
    assert scheduler.coefficients(None) == scheduler.coefficients(0.3)


def test_second_result_is_the_sample_at_s(scheduler, sample, output):
    noise = standard_normal(SHAPE, generator(4))
    result = scheduler.step(output, 999, sample, eta=1.0, noise=noise, return_dict=True)
    alphas = scheduler.alphas_cumprod.asnumpy()
    x0 = (sample.asnumpy() - np.sqrt(1 - alphas[999]) * output.asnumpy()) / np.sqrt(alphas[999])
    expected = np.sqrt(alphas[0]) * x0 + np.sqrt(1 - alphas[0]) * output.asnumpy()
    np.testing.assert_allclose(result.pred_noised_sample.asnumpy(), expected, rtol=1e-4, atol=1e-4)
    pair = scheduler.step(output, 999, sample, eta=1.0, noise=noise)
    assert np.array_equal(pair[0].asnumpy(), result.prev_sample.asnumpy())
    assert np.array_equal(pair[1].asnumpy(), result.pred_noised_sample.asnumpy())


def test_the_generator_is_used_once_for_each_step_with_noise(scheduler, sample, output):
    rng, other = generator(5), generator(5)
    stepped(scheduler, output, sample, generator=rng)
    other.standard_normal((3, *SHAPE))
    assert rng.standard_normal() == other.standard_normal()
    untouched = generator(5)
    stepped(scheduler, output, sample, generator=untouched, eta=0)
    assert untouched.standard_normal() == generator(5).standard_normal()


def test_each_image_has_its_own_generator(scheduler, sample, output):
    together = stepped(scheduler, output, sample, generator=generators(7, 2))
    for place in range(2):
        alone = stepped(scheduler, output[place : place + 1], sample[place : place + 1], generator=generator(7 + place))
        np.testing.assert_allclose(together[place], alone[0], rtol=1e-6, atol=1e-5)


def test_noise_can_be_passed(scheduler, sample, output):
    rng = generator(8)
    noises = [standard_normal(SHAPE, rng) for _ in range(3)]
    drawn = stepped(scheduler, output, sample, generator=generator(8))
    given = sample
    for timestep, noise in zip(scheduler.timesteps, [*noises, None], strict=True):
        given = scheduler.step(output, timestep, given, noise=noise)[0]
    assert np.array_equal(drawn, given.asnumpy())


@pytest.mark.parametrize("eta", [-0.1, 1.1, float("nan"), "0.3", True])
def test_eta_out_of_range_is_refused(scheduler, sample, output, eta):
    with pytest.raises(ValueError, match=r"eta is .*expected a number within \[0, 1\]"):
        scheduler.step(output, 999, sample, eta=eta)


def test_bad_steps_are_refused(scheduler, sample, output):
    with pytest.raises(ValueError, match="call set_timesteps"):
        TCDScheduler().step(output, 999, sample)
    with pytest.raises(ValueError, match="call set_timesteps"):
        TCDScheduler().coefficients()
    with pytest.raises(ValueError, match=r"timestep is 998; expected one of .*999, 759, 499, 259"):
        scheduler.step(output, 998, sample)
    with pytest.raises(ValueError, match="model_output has the shape"):
        scheduler.step(output[:1], 999, sample)
    with pytest.raises(ValueError, match="3 generators for a batch of 2"):
        scheduler.step(output, 999, sample, generator=generators(0, 3))
    with pytest.raises(ValueError, match="noise has the shape"):
        scheduler.step(output, 999, sample, noise=np.zeros((2, 4, 4, 3)))
    with pytest.raises(TypeError, match="affine_step"):
        scheduler.step(output, 999, sample, noise=sample)
    assert scheduler.step_index is None


def test_epsilon_without_signal_is_refused(sample, output):
    scheduler = TCDScheduler(rescale_betas_zero_snr=True)
    scheduler.set_timesteps(4)
    with pytest.raises(ValueError, match=r"no finite step at timestep 999.*v_prediction"):
        scheduler.step(output, scheduler.timesteps[0], sample)
    with pytest.raises(ValueError, match="no finite step"):
        scheduler.coefficients()
    scheduler.set_begin_index(1)
    assert np.isfinite(scheduler.step(output, scheduler.timesteps[1], sample)[0].asnumpy()).all()
    assert np.isfinite(scheduler.coefficients()).all()


def test_the_last_custom_step_adds_and_generates_no_noise(sample, output):
    scheduler = TCDScheduler()
    scheduler.set_timesteps(timesteps=[999, 700, 500, 300], strength=0.5)
    assert scheduler.timesteps_list == [500, 300]
    assert scheduler.num_inference_steps == 2
    rng, other = generator(1), generator(1)
    stepped(scheduler, output, sample, generator=rng)
    other.standard_normal(SHAPE)
    assert rng.standard_normal() == other.standard_normal()


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda scheduler: pickle.loads(pickle.dumps(scheduler))])
def test_copies_continue_at_the_step_of_the_original(scheduler, sample, output, duplicate):
    scheduler.set_begin_index(1)
    scheduler.step(output, scheduler.timesteps[1], sample)
    twin = duplicate(scheduler)
    assert twin.step_index == 2
    results = [one.step(output, one.timesteps[2], sample, generator=generator(0))[0] for one in (scheduler, twin)]
    assert np.array_equal(*[result.asnumpy() for result in results])
