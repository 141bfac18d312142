"""One model judged in all its ways: what is put together, on few digits."""

import copy
from dataclasses import fields, replace

import numpy as np
import pytest

from npvae import VAE, Autoencoder
from npvae.data import Dataset, load_digits
from npvae.study import CONTROLS, SAMPLERS, WAYS, SampleJudge, draw_codes, judge_model
from npvae.study.experiment.judging import MOST_COMPARED, N_KEPT, judge_samples, make_judge, number_compared
from npvae.study.metrics.quality import SampleQuality
from tests.comparisons import quick_networks

N = 120


@pytest.fixture(scope="module")
def data():
    digits = load_digits()
    return Dataset(
        "some", digits.X_train[:300], digits.y_train[:300], digits.X_test[:150], digits.y_test[:150]
    )


@pytest.fixture(scope="module")
def models(data):
    settings = {"hidden": (32,), "likelihood": "bernoulli", "max_epochs": 20, "batch_size": 32}
    return {
        "AE": Autoencoder(2, **settings, random_state=0).fit(data.X_train),
        "VAE": VAE(2, **settings, random_state=0).fit(data.X_train),
    }


@pytest.fixture(scope="module")
def models_of_pixels(models):
    """The same, but they answer to uint8."""
    twins = {kind: copy.copy(model) for kind, model in models.items()}
    for twin in twins.values():
        twin.pixels_ = True
    return twins


@pytest.fixture
def collapsed(models):
    """An autoencoder that gives every image the same code."""
    ae = copy.deepcopy(models["AE"])
    for name in ("code.W", "code.b"):
        ae.params_[name] = np.zeros_like(ae.params_[name])
    return ae


@pytest.fixture
def quick():
    with quick_networks():
        yield


@pytest.fixture(scope="module")
def judged(data, models):
    with quick_networks():
        return {kind: judge_model(model, data, n_samples=N, seed=3) for kind, model in models.items()}


@pytest.mark.parametrize("kind", ["AE", "VAE"])
def test_it_judges_every_way_and_every_control(judged, kind):
    found = judged[kind]
    assert (found.kind, found.n_compared) == (kind, N)
    assert tuple(found.samples) == WAYS[kind]
    assert list(found.controls) == list(CONTROLS)
    assert 0 < found.classifier_accuracy <= 1


@pytest.mark.usefixtures("quick")
def test_each_way_is_its_sampler_decoded_and_judged(data, models, judged):
    judge = SampleJudge.fit(data.X_train, data.y_train, data.X_test, n=N)
    assert judged["VAE"].classifier_accuracy == judge.accuracy(data.X_test, data.y_test)
    vae = models["VAE"]
    codes = draw_codes(vae, data.X_train, np.random.default_rng(3))
    for way in ("prior", "full"):
        z = SAMPLERS[way].fit(codes, 3).draw(N, np.random.default_rng(3))
        images = vae.inverse_transform(z)
        assert judge.judge(images, random_state=3) == judged["VAE"].samples[way]
    means = {tuple(code) for code in vae.transform(data.X_train).tolist()}
    samples = judge_samples(vae, data, judge, seed=3)
    assert all(tuple(z) in means for z in samples["reconstructions"].z.tolist())
    assert samples["prior"].images.shape == (N_KEPT, 64)


def test_the_controls_do_not_depend_on_the_model(judged):
    assert judged["AE"].controls == judged["VAE"].controls


class Recorder:
    """A judge that keeps what it was given."""

    def __init__(self, n):
        self.n, self.given = n, []

    def judge(self, images, *, random_state):
        self.given.append((images, random_state))
        numbers = {field.name: 0.5 for field in fields(SampleQuality) if not field.name.endswith("shares")}
        return SampleQuality(**numbers | {"n": len(self.given)})


def drawn(model, data, seed=0):
    """What a judge of 2 N images was given in every way, and the samples."""
    judge = Recorder(2 * N)
    samples = judge_samples(model, data, judge, seed=seed)
    assert [drawn.quality.n for drawn in samples.values()] == list(range(1, len(samples) + 1))
    assert {state for _, state in judge.given} == {seed}
    return dict(zip(samples, [images for images, _ in judge.given], strict=True)), samples


def as_bytes(data):
    parts = {name: np.rint(255 * getattr(data, name)).astype(np.uint8) for name in ("X_train", "X_test")}
    return replace(data, **parts)


def binary(data):
    """The data with test pixels that are black or white."""
    white = 255 if data.X_test.dtype == np.uint8 else 1
    return replace(data, X_test=((data.X_test > white / 2) * white).astype(data.X_test.dtype))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("kind", ["AE", "VAE"])
def test_beside_binary_images_pixels_are_drawn_before_judging(kind, dtype, data, models_of_pixels):
    """Each with its grey value as the probability; the pictures that are kept stay grey."""
    given = as_bytes(data) if dtype == np.uint8 else data
    judged, samples = drawn(models_of_pixels[kind], binary(given))
    grey, _ = drawn(models_of_pixels[kind], given)
    assert tuple(judged) == WAYS[kind]
    for way, images in judged.items():
        p = grey[way].astype(np.float64)
        assert set(np.unique(images)) == {0, 1}
        assert images.shape == (2 * N, 64)
        np.testing.assert_array_equal(samples[way].images, grey[way][:N_KEPT])
        assert np.any((samples[way].images > 0.1) & (samples[way].images < 0.9))
        error = np.sqrt((p * (1 - p)).sum())
        assert abs((images - p).sum()) < 4 * error
        assert abs(((images - p) * (p - p.mean())).sum()) < 4 * error, "pixels of other images"
        pixels = np.sqrt((p * (1 - p)).sum(axis=0))
        assert np.all(np.abs((images - p).sum(axis=0)) < 5 * pixels + 1)


def test_pixels_drawn_are_the_seeds(data, collapsed):
    """All reconstructions are one grey image, so what differs is the draw of pixels alone."""
    first, again, other = (drawn(collapsed, binary(data), seed)[0]["reconstructions"] for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)
    assert len(np.unique(first, axis=0)) > 1


def test_beside_grey_images_the_expectation_is_judged(data, models_of_pixels):
    X_test = binary(as_bytes(data)).X_test.copy()
    X_test[-1, -1] = 254
    for given in (data, replace(as_bytes(data), X_test=X_test)):
        for way, images in drawn(models_of_pixels["AE"], given)[0].items():
            assert len(np.unique(images)) > 2, way


def test_gaussian_noise_is_not_drawn(data):
    """A Gaussian decoder has no probability of white."""
    model = VAE(2, hidden=(8,), likelihood="gaussian", max_epochs=2, random_state=0).fit(data.X_train)
    for way, images in drawn(model, binary(data))[0].items():
        assert len(np.unique(images)) > 2, way


@pytest.mark.usefixtures("quick")
def test_an_autoencoder_that_has_collapsed_is_judged(data, collapsed):
    """All of its codes are equal, so all that is fitted to them draws that one image; N(0, I) does not."""
    assert np.ptp(collapsed.transform(data.X_train), axis=0).tolist() == [0, 0]
    judge = SampleJudge.fit(data.X_train, data.y_train, data.X_test, n=N)
    samples = judge_samples(collapsed, data, judge)
    assert tuple(samples) == WAYS["AE"]
    assert np.ptp(samples["prior"].z) > 1
    for way in ("diagonal", "full", "mixture", "reconstructions"):
        assert np.abs(samples[way].z).max() < 0.01, way
        assert samples[way].quality.pixel_coverage < 0.2


@pytest.mark.usefixtures("quick")
def test_it_tells_its_stages(data, models):
    stages = []
    judge_model(models["AE"], data, n_samples=10, report=stages.append)
    assert [stage.split(":")[0] for stage in stages[:2]] == [
        "preparing the metrics",
        "judging the controls",
    ]
    assert stages[2:] == [f"judging samples: {SAMPLERS[way].label}" for way in WAYS["AE"]]


def test_the_number_of_samples(data):
    assert number_compared(data) == 150
    assert number_compared(data, 20) == 20
    many = Dataset("many", np.random.default_rng(0).random((6000, 1), np.float32), None, *_part(7000))
    assert number_compared(many) == MOST_COMPARED
    for n in (9, 151, 0):
        with pytest.raises(ValueError, match=f"from 10 to 150 .* got {n}"):
            number_compared(data, n)


def _part(n):
    return np.random.default_rng(1).random((n, 1), np.float32), None


@pytest.mark.usefixtures("quick")
def test_of_dynamic_binarisation_the_training_images_are_judged_as_binary_too(data):
    """Grey ones would be told from binary test images at a glance."""
    binary = (data.X_test > 0.5).astype(np.float32)
    judge = make_judge(replace(data, X_test=binary), N, lambda stage: None)
    assert set(np.unique(judge.training_images)) == {0, 1}
    grey = make_judge(data, N, lambda stage: None)
    assert len(np.unique(grey.training_images)) > 2
