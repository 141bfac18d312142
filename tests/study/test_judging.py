"""One model judged in all its ways: what is put together, on few digits."""

import numpy as np
import pytest

from npvae import VAE, Autoencoder
from npvae.data import Dataset, load_digits
from npvae.study import CONTROLS, SAMPLERS, WAYS, SampleJudge, draw_codes, judge_model
from npvae.study.judging import MOST_COMPARED, N_KEPT, judge_samples, number_compared
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


@pytest.mark.usefixtures("quick")
def test_it_tells_its_stages(data, models):
    stages = []
    judge_model(models["AE"], data, n_samples=10, report=stages.append)
    assert [stage.split(":")[0] for stage in stages[:2]] == [
        "learning what real images are like",
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
