"""The comparison of AEs with VAEs: what it finds on digits, and what it makes of dimensions and seeds."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from npvae import VAE, Autoencoder, load
from npvae.data import Dataset, load_digits
from npvae.study import CONTROLS, SAMPLERS, WAYS
from npvae.study.comparison import Comparison, compare
from npvae.study.experiment.cache import Cell, StudyFolder
from npvae.study.experiment.judging import number_compared
from npvae.training import TrainingDivergedError
from tests.comparisons import N_TEST, make_data, make_models, quick_networks, small_comparison


@pytest.fixture(autouse=True, scope="module")
def quick():
    with quick_networks():
        yield


@pytest.fixture(scope="module")
def data():
    return load_digits()


@pytest.fixture(scope="module")
def comparison(data):
    """After a short but real training."""
    settings = {"hidden": (64,), "likelihood": "bernoulli", "batch_size": 32, "max_epochs": 80}
    models = Autoencoder(2, **settings), VAE(2, **settings)
    return compare(data, *models, seeds=(0,), n_importance_samples=10, n_jobs=1)


@pytest.fixture(scope="module")
def ae(comparison):
    return comparison.study("AE", 2)


@pytest.fixture(scope="module")
def vae(comparison):
    return comparison.study("VAE", 2)


def quality(study, way):
    return study.samples[way].quality


def assert_same(a: Comparison, b: Comparison):
    assert a.studies.keys() == b.studies.keys()
    for cell, study in a.studies.items():
        other = b.studies[cell]
        assert study.numbers() == other.numbers()
        for name, array in study.arrays().items():
            np.testing.assert_array_equal(array, other.arrays()[name])
        assert study.estimator.params_.flat.tobytes() == other.estimator.params_.flat.tobytes()
    assert a.controls.keys() == b.controls.keys()
    for name in a.controls:
        np.testing.assert_equal(a.controls[name], b.controls[name])


def test_the_vaes_z_is_near_the_prior_and_the_aes_is_not(ae, vae):
    moments = vae.figures["moments"]
    assert moments["mean_norm"] < 0.2
    assert np.all(np.abs(np.array(moments["std"]) - 1) < 0.15)
    assert np.all(np.abs(np.array(moments["eigenvalues"]) - 1) < 0.3)
    moments = ae.figures["moments"]
    assert max(moments["mean_norm"], max(moments["std"]) - 1) > 1
    assert moments["eigenvalues"][0] > 3


def test_the_prior_samples_the_vae_and_not_the_ae(ae, vae):
    assert quality(vae, "prior").frechet < quality(ae, "prior").frechet / 1.5
    assert quality(vae, "prior").pixel_coverage > 1.2 * quality(ae, "prior").pixel_coverage


def test_a_distribution_fitted_to_its_codes_samples_the_ae(ae):
    for way in ("diagonal", "full", "mixture"):
        assert quality(ae, way).frechet < quality(ae, "prior").frechet
    assert quality(ae, "mixture").pixel_coverage > quality(ae, "prior").pixel_coverage


def test_the_controls_frame_the_samples(comparison, ae, vae):
    """Real images are better than any samples; images without any structure are worse."""
    assert list(comparison.controls) == list(CONTROLS)
    real, noise = comparison.controls["training images"], comparison.controls["independent pixels"]
    for study in (ae, vae):
        for samples in study.samples.values():
            assert real.frechet < samples.quality.frechet / 5
            assert noise.pixel_coverage < samples.quality.pixel_coverage < real.pixel_coverage
    assert real.frechet > 0.05, "the test images against themselves"
    assert comparison.controls["shuffled halves"].pixel_coverage == pytest.approx(1 - 2**-5, abs=0.04)


def test_the_vae_reconstructs_less_well(ae, vae):
    errors = [study.figures["reconstruction"]["squared_error"] for study in (ae, vae)]
    assert errors[0] < errors[1]


def test_every_way_to_sample(comparison, ae, vae):
    for study in (ae, vae):
        assert tuple(study.samples) == WAYS[study.cell.kind]
    assert comparison.n_compared == 359 == quality(ae, "prior").n


def test_both_priors_are_the_same_draws(ae, vae):
    """What differs between the two pictures is the decoder alone."""
    np.testing.assert_array_equal(ae.samples["prior"].z, vae.samples["prior"].z)
    for z in vae.samples["prior"].z.T:
        assert stats.kstest(z, "norm").pvalue > 0.01


@pytest.mark.parametrize("way", ["diagonal", "full", "mixture"])
def test_fitted_draws_are_from_the_training_codes(way, data, ae):
    codes = ae.estimator.transform(data.X_train)
    z = SAMPLERS[way].fit(codes, 0).draw(359, np.random.default_rng(0))
    np.testing.assert_array_equal(ae.samples[way].z, z[:100], err_msg="not those of the training images")
    covariance = np.cov(codes, rowvar=False)
    if way == "diagonal":
        covariance = np.diag(np.diag(covariance))
    std = np.sqrt(np.diag(covariance))
    assert np.all(np.abs(z.mean(axis=0) - codes.mean(axis=0)) < 4 * std / np.sqrt(len(z)))
    assert np.all(np.abs(np.cov(z, rowvar=False) - covariance) < 0.3 * np.outer(std, std))


def test_the_models_are_those_that_the_settings_give(data, vae):
    """Trained on the training part, watched on the test part, with the cell's seed; nothing else."""
    alone = VAE(2, hidden=(64,), likelihood="bernoulli", batch_size=32, max_epochs=80, random_state=0)
    alone.fit(data.X_train, X_val=data.X_test)
    assert vae.estimator.params_.flat.tobytes() == alone.params_.flat.tobytes()
    assert vae.estimator.history_["validation_loss"] == alone.history_["validation_loss"]


def test_all_dimensions_and_seeds():
    comparison = small_comparison((3, 2), (4, 0))
    assert set(comparison.studies) == {
        Cell(d, seed, kind) for d in (2, 3) for seed in (0, 4) for kind in ("AE", "VAE")
    }
    for cell, study in comparison.studies.items():
        assert study.cell == cell
        assert study.codes.shape == (N_TEST, cell.latent_dim)
        assert study.estimator.random_state == cell.seed
        assert type(study.estimator) is {"AE": Autoencoder, "VAE": VAE}[cell.kind]
    assert comparison.study("VAE", 3) is comparison.study("VAE", 3, 4)


def test_a_cell_does_not_depend_on_what_is_compared_with_it():
    many, one = small_comparison((3, 2), (4, 0)), small_comparison((3,), (4,))
    for kind in ("AE", "VAE"):
        assert many.study(kind, 3, 4).numbers() == one.study(kind, 3, 4).numbers()
    np.testing.assert_equal(many.controls, one.controls)


def test_figures_and_qualities_are_by_seed():
    comparison = small_comparison((3, 2), (4, 0))
    errors = [comparison.study("AE", 3, s).figures["reconstruction"]["squared_error"] for s in (4, 0)]
    np.testing.assert_array_equal(comparison.figures("AE", 3, "reconstruction", "squared_error"), errors)
    assert errors[0] != errors[1]
    std = comparison.figures("VAE", 3, "moments", "std")
    assert std.shape == (2, 3)
    assert np.isnan(comparison.figures("AE", 2, "posterior", "kl", "value")).all()
    last = comparison.figures("VAE", 2, "posterior", "log_likelihoods", -1, "value")
    for seed, value in zip((4, 0), last, strict=True):
        figures = comparison.study("VAE", 2, seed).figures
        assert value == figures["posterior"]["log_likelihoods"][-1]["value"]
    frechet = comparison.qualities("AE", 2, "full", "frechet")
    assert frechet.tolist() == [
        comparison.study("AE", 2, seed).samples["full"].quality.frechet for seed in (4, 0)
    ]


def test_what_is_named_twice_is_done_once():
    told = []
    data = make_data()
    comparison = compare(
        data, *make_models(max_epochs=1), latent_dims=[2, 2], seeds=[1, 1], n_importance_samples=1, n_jobs=1,
        report=told.append,
    )  # fmt: skip
    assert (comparison.latent_dims, comparison.seeds) == ((2,), (1,))
    assert [message for message in told if message.startswith("training ")] == [
        "training ae-d2-seed1, 1 epoch",
        "training vae-d2-seed1, 1 epoch",
    ]


def test_an_error_in_one_job_ends_the_others(tmp_path):
    """The AE would train for hours."""
    settings = {"likelihood": "bernoulli", "tol": None}
    ae, vae = (
        make_models(max_epochs=10**6, **settings)[0],
        make_models(learning_rate=1e6, max_epochs=1000, **settings)[1],
    )
    folder = StudyFolder(tmp_path)
    with pytest.raises(TrainingDivergedError):
        compare(make_data(), ae, vae, n_importance_samples=1, n_jobs=2, folder=folder)
    path = folder.model_file(Cell(2, 0, "AE"))
    assert not path.exists() or load(path).stop_reason_ == "interrupted"


def test_the_given_models_are_not_touched():
    ae, vae = make_models(max_epochs=1, random_state=9)
    compare(make_data(), ae, vae, latent_dims=[3], n_importance_samples=1, n_jobs=1)
    for model in (ae, vae):
        assert (model.latent_dim, model.random_state) == (2, 9)
        assert not hasattr(model, "params_")


def test_the_same_seed_gives_the_same_comparison():
    data = make_data()
    one, again = (compare(data, *make_models(), n_importance_samples=20, n_jobs=1) for _ in range(2))
    assert_same(one, again)
    other = small_comparison((3, 2), (4, 0)).study("AE", 2, 4)
    assert np.any(other.samples["prior"].z != one.study("AE", 2).samples["prior"].z)


def test_with_a_folder_and_without_it_is_the_same(tmp_path):
    """And what is found in the folder is what was put there."""
    data, folder = make_data(), StudyFolder(tmp_path)
    plain, kept, found = (
        compare(data, *make_models(), n_importance_samples=20, n_jobs=1, folder=place)
        for place in (None, folder, folder)
    )
    assert_same(plain, kept)
    assert_same(plain, found)
    assert plain.classifier_accuracy == kept.classifier_accuracy == found.classifier_accuracy


def test_without_labels_there_is_no_accuracy(tmp_path):
    folder = StudyFolder(tmp_path)
    for _ in range(2):  # measured, and found in the folder
        comparison = compare(
            make_data(labels=False), *make_models(), n_importance_samples=1, n_jobs=1, folder=folder
        )
        assert np.isnan(comparison.classifier_accuracy)
        assert np.isnan(comparison.qualities("VAE", 2, "prior", "frechet_classifier")).all()
        assert np.isfinite(comparison.qualities("VAE", 2, "prior", "frechet")).all()


def test_one_class_is_as_good_as_none():
    comparison = small_comparison(n_classes=1)
    assert np.isnan(comparison.classifier_accuracy)
    assert np.isnan(comparison.controls["training images"].confidence)


def test_pixels_as_bytes_are_the_same_as_in_the_unit_interval():
    pixels = make_data()
    X_train, X_test = (X / np.float32(255) for X in (pixels.X_train, pixels.X_test))
    X_train.flags.writeable = X_test.flags.writeable = False
    scaled = replace(pixels, X_train=X_train, X_test=X_test)
    a, b = (compare(one, *make_models(), n_importance_samples=1, n_jobs=1) for one in (pixels, scaled))
    for cell, study in a.studies.items():
        other = b.studies[cell]
        for figure in ("squared_error", "negative_log_likelihood"):
            values = [s.figures["reconstruction"][figure] for s in (study, other)]
            assert values[0] == pytest.approx(values[1], rel=1e-4)
        for way, samples in study.samples.items():
            assert samples.quality.frechet == pytest.approx(other.samples[way].quality.frechet, rel=1e-3)
            assert samples.quality.pixel_coverage == pytest.approx(
                other.samples[way].quality.pixel_coverage, abs=0.03
            )


@pytest.mark.parametrize("n_samples", [9, 360, 0, -1])
def test_the_number_of_samples_is_checked(n_samples, data):
    with pytest.raises(ValueError, match=f"from 10 to 359 .*got {n_samples}"):
        number_compared(data, n_samples)
    with pytest.raises(ValueError, match=f"from 10 to 359 .*got {n_samples}"):
        compare(data, *make_models(), n_samples=n_samples)


def test_the_number_compared_by_default(data):
    assert number_compared(data) == 359
    large = np.zeros((6000, 2), np.uint8)
    large[0] = 1
    assert number_compared(Dataset("large", large, None, large, None)) == 5000
    assert number_compared(Dataset("large", large[:50], None, large, None)) == 50
    assert number_compared(data, 10) == 10


@pytest.mark.parametrize(("n_train", "n_test"), [(50, 7), (50, 19), (9, 50)])
def test_data_too_few_to_compare(n_train, n_test, data):
    """Found at once: half of the test images are a control, and no fewer than ten can be judged."""
    few = Dataset("few", data.X_train[:n_train], None, data.X_test[:n_test], None)
    with pytest.raises(ValueError, match=f"10 training and 20 test .* few has {n_train} and {n_test}"):
        compare(few, *make_models())


def test_the_fewest_data():
    data = make_data(n_test=20)
    data = replace(data, X_train=data.X_train[:10], y_train=data.y_train[:10])
    comparison = compare(data, *make_models(max_epochs=1), n_importance_samples=1, n_jobs=1)
    assert comparison.n_compared == 10
    assert comparison.controls["shuffled halves"].n == 10


def test_data_of_one_image_are_refused():
    X = np.full((30, 4), 7, np.uint8)
    with pytest.raises(ValueError, match="all samples are the same"):
        compare(Dataset("grey", X, None, X, None), *make_models())


def test_every_setting_is_checked_before_any_training():
    told = []
    with pytest.raises(ValueError, match="latent_dim"):
        compare(make_data(), *make_models(), latent_dims=[2, 0], report=told.append)
    assert told == []


@pytest.mark.parametrize("which", [(True, False), (False, True), (True, True)])
def test_early_stopping_is_refused_before_any_training(which, tmp_path):
    """It would watch the test images."""
    told, models = [], make_models()
    for model, early in zip(models, which, strict=True):
        model.set_params(early_stopping=early)
    with pytest.raises(ValueError, match="early_stopping would select models"):
        compare(make_data(), *models, folder=StudyFolder(tmp_path / "out"), report=told.append)
    assert told == []
    assert not (tmp_path / "out").exists()
