"""What is measured on one model, again by hand; and that it survives being written and read."""

import json
from dataclasses import replace

import numpy as np
import pytest

from npvae.study import SAMPLERS, WAYS, SampleJudge, draw_codes, evaluate, reconstruction_error
from npvae.study.experiment.cache import Cell
from npvae.study.experiment.judging import N_KEPT
from npvae.study.experiment.model_study import ModelStudy, restore_quality, study_model
from npvae.study.jsonable import to_jsonable
from tests.comparisons import N_TEST, make_data, make_models, quick_networks

N_COMPARED = 24
AE, VAE = Cell(2, 7, "AE"), Cell(2, 7, "VAE")


@pytest.fixture(autouse=True, scope="module")
def quick():
    with quick_networks():
        yield


@pytest.fixture(scope="module")
def data():
    return make_data()


@pytest.fixture(scope="module")
def judge(data, quick):
    return SampleJudge.fit(data.X_train, data.y_train, data.X_test, n=N_COMPARED)


@pytest.fixture(scope="module")
def studies(data, judge):
    models = [model.set_params(random_state=7, likelihood="bernoulli") for model in make_models()]
    return {
        cell: study_model(cell, model.fit(data.X_train), data, judge, n_importance_samples=10)
        for cell, model in zip((AE, VAE), models, strict=True)
    }


@pytest.fixture(params=[AE, VAE], ids=["AE", "VAE"])
def study(request, studies):
    return studies[request.param]


def test_figures_are_those_of_evaluate(study, data):
    evaluation = evaluate(study.estimator, data.X_test, n_importance_samples=10, random_state=7)
    assert study.figures == to_jsonable(evaluation)
    assert study.figures["n_samples"] == N_TEST
    error = reconstruction_error(study.estimator, data.X_test).squared_error
    assert study.figures["reconstruction"]["squared_error"] == pytest.approx(error, rel=1e-6)


def test_codes_are_of_the_test_images(study, data):
    np.testing.assert_array_equal(study.codes, study.estimator.transform(data.X_test))


def test_images_are_decoded_from_z(study):
    assert tuple(study.samples) == WAYS[study.cell.kind]
    for samples in study.samples.values():
        np.testing.assert_allclose(samples.images, study.estimator.inverse_transform(samples.z), atol=1e-6)
        assert len(samples.z) == N_COMPARED == samples.quality.n


def test_samplers_are_fitted_to_training_codes(study, data):
    """To draws from q(z | x), where there is one; for reconstructions to its means."""
    codes = draw_codes(study.estimator, data.X_train, np.random.default_rng(7))
    means = study.estimator.transform(data.X_train)
    for way, samples in study.samples.items():
        sampler = SAMPLERS[way].fit(means if way == "reconstructions" else codes, 7)
        z = sampler.draw(N_COMPARED, np.random.default_rng(7))
        np.testing.assert_array_equal(samples.z, z, err_msg=way)
    reconstructed = study.samples["reconstructions"].z
    assert all((means == z).all(axis=1).any() for z in reconstructed), "codes of training images"


def test_quality_is_the_judges(study, judge):
    for samples in study.samples.values():
        assert samples.quality == judge.judge(samples.images, random_state=7)


def test_of_many_samples_the_first_are_kept(study, data):
    larger = replace(data, X_test=np.tile(data.X_test, (4, 1)), y_test=np.tile(data.y_test, 4))
    judge = SampleJudge.fit(larger.X_train, None, larger.X_test, n=N_KEPT + 10)
    many = study_model(study.cell, study.estimator, larger, judge, n_importance_samples=1)
    for samples in many.samples.values():
        assert (len(samples.z), len(samples.images)) == (N_KEPT, N_KEPT)
        assert samples.quality.n == N_KEPT + 10


def test_restored_from_json_and_arrays(study):
    numbers = json.loads(json.dumps(study.numbers(), allow_nan=False))
    again = ModelStudy.restore(study.cell, study.estimator, numbers, study.arrays())
    assert again.figures == study.figures
    np.testing.assert_array_equal(again.codes, study.codes)
    assert list(again.samples) == list(study.samples)
    for way, samples in study.samples.items():
        np.testing.assert_array_equal(again.samples[way].z, samples.z)
        np.testing.assert_array_equal(again.samples[way].images, samples.images)
        assert again.samples[way].quality == samples.quality


def test_nan_survives_json(study):
    quality = replace(study.samples["prior"].quality, frechet_classifier=float("nan"))
    again = restore_quality(json.loads(json.dumps(to_jsonable(quality), allow_nan=False)))
    np.testing.assert_equal(vars(again), vars(quality))


def test_the_seed_draws_everything(data, judge, studies):
    model = studies[VAE].estimator
    same = study_model(VAE, model, data, judge, n_importance_samples=10)
    other = study_model(Cell(2, 8, "VAE"), model, data, judge, n_importance_samples=10)
    assert same.numbers() == studies[VAE].numbers()
    for way, samples in other.samples.items():
        assert np.any(samples.z != same.samples[way].z), way
    assert other.figures["posterior"]["elbo"] == same.figures["posterior"]["elbo"], "no draw of the study"
    assert other.figures["moments"] != same.figures["moments"]
