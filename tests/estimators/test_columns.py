"""Statistics of columns, columns of very different scale, and rows far outside the training data."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.preprocessing import StandardScaler

from npvae import VAE, Autoencoder
from npvae.estimators.columns import Columns, least_noise_variance, scale_warning

both = pytest.mark.parametrize("cls", [VAE, Autoencoder])
SMALL = {"hidden": (8,), "max_epochs": 2, "random_state": 0}


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, bool, np.uint8])
def test_statistics_are_those_of_numpy(dtype, rng):
    X = (200 * rng.random((2500, 3))).astype(dtype)
    x = X / 255 if dtype == np.uint8 else X.astype(np.float64)
    for rows in (None, rng.permutation(2500)[:700]):
        some = x if rows is None else x[rows]
        columns = Columns.of(X, rows)
        for name in ("mean", "variance", "low", "high"):
            expected = getattr(some, {"variance": "var", "low": "min", "high": "max"}.get(name, name))(axis=0)
            np.testing.assert_allclose(getattr(columns, name), expected, rtol=1e-6, atol=1e-7)


def test_a_mean_far_from_zero_costs_the_variance_no_digits(rng):
    x = rng.standard_normal((1000, 2))
    np.testing.assert_allclose(Columns.of(x + 1e7).variance, x.var(axis=0), rtol=1e-6)


@pytest.mark.parametrize(
    ("load", "named"),
    [(load_wine, "'proline'"), (load_breast_cancer, "'worst area'"), (load_iris, None), (load_digits, None)],
)
def test_columns_of_another_scale_are_named(load, named):
    """Raw tables of scikit-learn; images, whose edges hardly vary, are no such case."""
    data = load()
    found = scale_warning(Columns.of(data.data), np.array(data.feature_names))
    assert (found is None) == (named is None)
    if named:
        assert named in found
        assert "StandardScaler" in found
        assert scale_warning(Columns.of(StandardScaler().fit_transform(data.data)), None) is None


def test_fit_names_them(rng):
    frame = pd.DataFrame(rng.standard_normal((50, 4)) * [1, 1, 100, 1], columns=list("abcd"))
    with pytest.warns(UserWarning, match=r"Columns 'c' .*99.9\d % of the variance, so the other 3"):
        VAE(**SMALL, learning_rate=1e-5).fit(frame)
    with pytest.warns(UserWarning, match="Columns 2 "):
        VAE(**SMALL, learning_rate=1e-5).fit(frame.to_numpy())


def test_the_least_noise_variance_follows_the_ranges():
    assert least_noise_variance(np.array([[0.0, 1.0], [2.0, 5.0]])) == pytest.approx((1e-4 * 3) ** 2)
    assert least_noise_variance(np.ones((2, 3))) > 0


@both
@pytest.mark.parametrize("method", ["transform", "reconstruct", "score_samples"])
def test_rows_far_outside_are_told(cls, method, rng):
    X = rng.random((600, 3))
    model = cls(**SMALL).fit(pd.DataFrame(X, columns=["x", "y", "z"]))
    new = X.copy()
    new[400:403, 1], new[17, 2] = 2.5, -7
    message = r"4 of 600 rows .*row 17, column 'z' is -7; .*from 0\.\d+ to 0\.9"
    with pytest.warns(UserWarning, match=message):
        getattr(model, method)(pd.DataFrame(new, columns=["x", "y", "z"]))


@both
def test_rows_a_little_outside_are_not(cls, rng):
    """As in cross-validation: the suite turns warnings into errors."""
    X = rng.random((100, 3))
    model = cls(**SMALL).fit(X)
    model.transform(X - 0.9)
    model.transform(X + 0.9)
    model.inverse_transform([[100.0, -100.0]])  # latent points are no data


@both
def test_a_column_that_was_constant_has_the_width_of_the_others(cls, rng):
    X = rng.random((100, 3))
    X[:, 1] = 5
    model = cls(**SMALL).fit(X)
    X[0, 1] = 5.5
    model.transform(X)
    X[0, 1] = 7
    with pytest.warns(UserWarning, match=r"1 of 100 rows.*column 1 is 7; in training it was from 5 to 5"):
        model.transform(X)


@both
def test_columns_of_different_scale_have_ranges_of_their_own(cls):
    """Alcohol, 11 to 15, is not 1000, though proline was."""
    X = load_wine().data
    with pytest.warns(UserWarning, match="proline|Columns"):
        model = cls(**SMALL, learning_rate=1e-4).fit(X)
    X[3, 0] = 1000
    with pytest.warns(
        UserWarning, match=r"1 of 178 rows.*In row 3, column 0 is 1000; .* from 11\.03 to 14\.83"
    ):
        model.transform(X)


def test_six_large_columns_of_ten_are_named(rng):
    X = rng.standard_normal((100, 10)) * ([500] * 6 + [1] * 4)
    assert "Columns 0, 1, 2, 3, 4 and 1 more " in scale_warning(Columns.of(X), None)


@both
def test_pixels_given_as_numbers_are_told(cls, rng):
    pixels = rng.integers(0, 256, (100, 4)).astype(np.uint8)
    model = cls(**SMALL).fit(pixels)
    with pytest.warns(UserWarning, match=r"Pixels 0\.\.255 must be passed as uint8"):
        model.transform(pixels.astype(np.float64))


@both
def test_training_on_widens_the_range(cls, rng):
    X = rng.random((100, 3))
    model = cls(**SMALL).fit(X).partial_fit(np.add(X, [0, 1, -1]))
    np.testing.assert_array_equal(model.data_range_[0], np.subtract(X.min(axis=0), [0, 0, 1]))
    np.testing.assert_array_equal(model.data_range_[1], np.add(X.max(axis=0), [0, 1, 0]))
