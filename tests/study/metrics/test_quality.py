import pickle

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from npvae.data import load_digits
from npvae.study import (
    SampleJudge,
    TrainingImages,
    classifier_two_sample_test,
    frechet_distance,
    neighbour_metrics,
)
from npvae.study.metrics.quality import SampleQuality, frechet_field

N = 180
LABELLED = ("frechet_classifier", "confidence", "class_imbalance")


@pytest.fixture(scope="module")
def data():
    return load_digits()


@pytest.fixture(scope="module")
def judge(data):
    return SampleJudge.fit(data.X_train, data.y_train, data.X_test, n=N)


@pytest.fixture(scope="module")
def blind(data):
    """A judge without labels."""
    return SampleJudge.fit(data.X_train, None, data.X_test, n=N)


@pytest.fixture(scope="module")
def real(data):
    """The images that either judge compares with: the first choice of its generator."""
    return data.X_test[np.sort(np.random.default_rng(0).choice(len(data.X_test), N, replace=False))]


@pytest.fixture(scope="module")
def fake(data):
    return np.random.default_rng(5).permutation(data.X_train)[:N]


def test_it_bundles_the_metrics(judge, real, fake):
    quality = judge.judge(fake, random_state=3)
    principal = [judge.features.transform(X) for X in (real, fake)]
    features = [judge.classifier.transform(X) for X in (real, fake)]
    test = classifier_two_sample_test(*principal[::-1], random_state=3)
    copies = TrainingImages(judge.training_images, real).memorisation(fake)
    in_pixels, in_features = neighbour_metrics(real, fake), neighbour_metrics(*features)
    probabilities = [judge.classifier.predict_proba(X) for X in (real, fake)]
    shares = [np.bincount(p.argmax(axis=1), minlength=10) / N for p in probabilities]
    expected = {
        "frechet": frechet_distance(*principal),
        "frechet_classifier": frechet_distance(*features),
        "pixel_coverage": in_pixels.coverage,
        "feature_coverage": in_features.coverage,
        "feature_density": in_features.density,
        "feature_precision": in_features.precision,
        "feature_recall": in_features.recall,
        "pixel_precision": in_pixels.precision,
        "two_sample_accuracy": test.accuracy,
        "two_sample_error": test.standard_error,
        "memorisation": copies.accuracy,
        "memorisation_train": copies.train,
        "memorisation_fake": copies.fake,
        "near_copies": copies.near_copies,
        "confidence": np.mean(probabilities[1].max(axis=1) > 0.95),
        "class_imbalance": np.maximum(shares[0] - shares[1], 0).sum(),  # as both sum to 1
        "n": N,
    }
    sure = probabilities[1][probabilities[1].max(axis=1) > 0.95]
    of_classes = {
        "class_shares": shares[1],
        "confident_shares": np.bincount(sure.argmax(axis=1), minlength=10) / N,
    }
    # The judge's products have one thread, these have several, and so other bits.
    found = vars(quality)
    for name, expected_shares in of_classes.items():
        assert found[name] == pytest.approx(tuple(expected_shares), abs=1e-9)
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-4)
    assert found.keys() == expected.keys() | of_classes.keys()


def test_without_labels_principal_components_take_their_place(blind, real, fake):
    quality = blind.judge(fake)
    for name in LABELLED:
        assert np.isnan(getattr(quality, name))
    assert quality.class_shares == quality.confident_shares == ()
    expected = neighbour_metrics(*(blind.features.transform(X) for X in (real, fake)))
    assert quality.feature_density == pytest.approx(expected.density)
    assert quality.feature_recall == pytest.approx(expected.recall)
    assert np.isnan(blind.accuracy(real, np.zeros(N)))


def test_labels_of_one_class_are_no_labels(data):
    judge = SampleJudge.fit(data.X_train, np.zeros(len(data.X_train)), data.X_test, n=10)
    assert judge.classifier is None


def test_a_class_dropped(judge, data):
    """Images of five classes of ten: half of everything is missing, and the rest is as good as ever."""
    rng = np.random.default_rng(0)
    whole = rng.permutation(data.X_train)[:N]
    half = rng.permutation(data.X_train[data.y_train < 5])[:N]
    of_whole, of_half = judge.judge(whole), judge.judge(half)
    assert of_half.class_imbalance == pytest.approx(0.5, abs=0.1)
    assert of_whole.class_imbalance < 0.15
    assert of_half.feature_recall == pytest.approx(of_whole.feature_recall / 2, abs=0.1)
    assert of_half.feature_coverage == pytest.approx(of_whole.feature_coverage / 2, abs=0.1)
    assert of_half.feature_precision == pytest.approx(of_whole.feature_precision, abs=0.1)
    assert of_half.confidence == pytest.approx(of_whole.confidence, abs=0.1)


def test_accuracy(judge, data):
    assert judge.accuracy(data.X_test, data.y_test) > 0.95
    assert np.isnan(judge.accuracy(data.X_test, None))


def test_copies_are_flagged(judge):
    quality = judge.judge(judge.training_images)
    assert quality.near_copies == 1
    assert quality.memorisation < 0.05


def test_it_pickles_and_threads_do_not_matter(judge, blind, data, fake):
    for one in (judge, blind):
        expected = vars(one.judge(fake))
        np.testing.assert_equal(vars(pickle.loads(pickle.dumps(one)).judge(fake)), expected)
        with threadpool_limits(limits=1):
            np.testing.assert_equal(vars(one.judge(fake)), expected)
    with threadpool_limits(limits=1):
        again = SampleJudge.fit(data.X_train, None, data.X_test, n=N)
    np.testing.assert_equal(vars(again.judge(fake)), vars(blind.judge(fake)))


def test_bytes_are_pixels(rng):
    train, test, fake = rng.integers(256, size=(3, 40, 8), dtype=np.uint8)
    quality = SampleJudge.fit(train, None, test, n=30).judge(fake[:30])
    scaled = [X / np.float32(255) for X in (train, test, fake)]
    again = SampleJudge.fit(scaled[0], None, scaled[1], n=30).judge(scaled[2][:30])
    assert isinstance(quality, SampleQuality)
    np.testing.assert_equal(vars(quality), vars(again))


def test_against_other_images(blind, data, fake):
    others = data.X_train[:100]
    judge = blind.against(others)
    assert (judge.n, blind.n) == (100, N)
    assert judge.judge(fake[:100]).pixel_coverage == neighbour_metrics(others, fake[:100]).coverage
    with pytest.raises(ValueError, match=f"X_real must have at most {N} rows, got {N + 1}"):
        blind.against(data.X_train[: N + 1])


def test_errors(blind, data, fake):
    with pytest.raises(ValueError, match="n must be an integer of at least 10, got 9"):
        SampleJudge.fit(data.X_train, None, data.X_test, n=9)
    with pytest.raises(ValueError, match="n must be at most the number of training and of test images"):
        SampleJudge.fit(data.X_train, None, data.X_test, n=9999)
    with pytest.raises(
        ValueError, match=f"X_fake must have {N} rows, as many as there are real images, got 9"
    ):
        blind.judge(fake[:9])
    with pytest.raises(ValueError, match="must have 64 columns"):
        blind.judge(fake[:, :9])
    with pytest.raises(ValueError, match="X_fake holds NaN"):
        blind.judge(fake * np.nan)


def test_the_frechet_distance_to_go_by():
    assert (frechet_field(float("nan")), frechet_field(0.9)) == ("frechet", "frechet_classifier")
