import numpy as np
import pytest
from scipy import stats
from sklearn.exceptions import NotFittedError

from npvae import VAE, Autoencoder
from npvae.study import traverse

PIXELS = np.random.default_rng(0).integers(256, size=(200, 12), dtype=np.uint8)


@pytest.fixture(scope="module")
def models():
    return {
        estimator: estimator(latent_dim=9, hidden=(16,), max_epochs=20, random_state=0).fit(PIXELS)
        for estimator in (VAE, Autoencoder)
    }


@pytest.fixture(params=[VAE, Autoencoder])
def model(request, models):
    return models[request.param]


@pytest.fixture
def vae(models):
    return models[VAE]


@pytest.fixture
def ae(models):
    return models[Autoencoder]


@pytest.mark.parametrize("n_steps", [3, 7])
def test_the_middle_of_every_row_is_the_reconstruction(model, n_steps):
    traversal = traverse(model, PIXELS[5], PIXELS, n_steps=n_steps)
    assert traversal.images.shape == (8, n_steps, 12)
    expected = np.tile(model.reconstruct(PIXELS[5:6]), (8, 1))
    np.testing.assert_allclose(traversal.images[:, n_steps // 2], expected, rtol=1e-5, atol=1e-6)


def test_one_coordinate_of_each_row_changes(model):
    codes = model.transform(PIXELS)
    i = np.argmin(np.abs(codes - np.median(codes, axis=0)).max(axis=1))  # at no end of the range
    traversal, z = traverse(model, PIXELS[i], PIXELS, dims=[3, 0, 8]), codes[i]
    np.testing.assert_allclose(traversal.centre, z, rtol=1e-6)
    for row, d in enumerate([3, 0, 8]):
        others = np.arange(9) != d
        np.testing.assert_array_equal(
            traversal.points[row][:, others], np.tile(traversal.centre[others], (11, 1))
        )
        np.testing.assert_array_equal(traversal.points[row][:, d], traversal.values[row])
        assert np.all(np.diff(traversal.values[row]) > 0)


def test_points_are_decoded_in_their_places(model):
    traversal = traverse(model, PIXELS[5], PIXELS, dims=[2, 4], n_steps=5)
    for row, column in ((0, 0), (0, 3), (1, 4)):
        expected = model.inverse_transform(traversal.points[row, column][None])[0]
        np.testing.assert_allclose(traversal.images[row, column], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("tail", [0.00135, 0.01, 0.3])
def test_a_vae_goes_over_the_prior(vae, tail):
    values = traverse(vae, dims=[1, 6], tail=tail).values
    expected = stats.norm.ppf(1 - tail) * np.linspace(-1, 1, 11)
    np.testing.assert_allclose(values, [expected, expected], rtol=1e-6, atol=1e-12)


def test_an_ae_goes_over_the_codes(ae):
    codes = ae.transform(PIXELS).astype(np.float64)
    traversal = traverse(ae, PIXELS[0], PIXELS, dims=range(9), tail=0.2)
    low, high = np.quantile(codes, [0.2, 0.8], axis=0)
    z = codes[0]
    np.testing.assert_allclose(traversal.values[:, 0], np.minimum(low, z), rtol=1e-5)
    np.testing.assert_allclose(traversal.values[:, -1], np.maximum(high, z), rtol=1e-5)
    around_the_mean = traverse(ae, X=PIXELS)
    np.testing.assert_allclose(around_the_mean.centre, codes.mean(axis=0), rtol=1e-5, atol=1e-6)


def test_steps_on_either_side_are_equal(model):
    steps = np.diff(traverse(model, PIXELS[5], PIXELS).values, axis=1)
    for side in (steps[:, :5], steps[:, 5:]):
        np.testing.assert_allclose(side, side[:, :1] * np.ones(5), rtol=1e-3, atol=1e-5)


def test_outside_of_an_end_that_half_stands_still(vae):
    far = int(np.argmax(np.abs(vae.transform(PIXELS)).max(axis=1)))
    z = vae.transform(PIXELS)[far]
    d = int(np.argmax(np.abs(z)))
    (values,) = traverse(vae, PIXELS[far], dims=[d], tail=0.45).values
    outer, inner = (values[5:], values[:5]) if z[d] > 0 else (values[:6], values[6:])
    assert abs(z[d]) > stats.norm.ppf(0.55)
    np.testing.assert_array_equal(outer, z[d].astype(values.dtype))
    assert np.all(np.abs(inner - z[d]) > 0)


def test_a_vaes_most_active_dimensions_come_first(vae):
    mu, log_var = vae.encode(PIXELS)
    kl = ((mu**2 + np.exp(log_var) - 1 - log_var) / 2).mean(axis=0)
    traversal = traverse(vae, X=PIXELS)
    np.testing.assert_array_equal(traversal.dims, np.argsort(-kl)[:8])
    np.testing.assert_allclose(traversal.activity, np.sort(kl)[::-1][:8], rtol=1e-5)


def test_an_aes_widest_dimensions_come_first(ae):
    std = ae.transform(PIXELS).std(axis=0, ddof=1)
    traversal = traverse(ae, PIXELS[0], PIXELS)
    np.testing.assert_array_equal(traversal.dims, np.argsort(-std)[:8])
    np.testing.assert_allclose(traversal.activity, np.sort(std)[::-1][:8], rtol=1e-5)


def test_without_data_a_vae_shows_its_first_dimensions_around_the_origin(vae):
    traversal = traverse(vae)
    np.testing.assert_array_equal(traversal.dims, range(8))
    np.testing.assert_array_equal(traversal.centre, np.zeros(9))
    assert traversal.activity is None


def test_errors(vae, ae):
    with pytest.raises(ValueError, match="AE needs X"):
        traverse(ae, PIXELS[0])
    with pytest.raises(ValueError, match="at least 2 rows, got 1"):
        traverse(ae, X=PIXELS[:1])
    for dims in ([9], [-1], [1.0], [True]):
        with pytest.raises(ValueError, match="dims must be integers from 0 to 8"):
            traverse(vae, dims=dims)
    with pytest.raises(ValueError, match="at least one dimension"):
        traverse(vae, dims=[])
    with pytest.raises(ValueError, match="n_steps must be odd"):
        traverse(vae, n_steps=4)
    with pytest.raises(ValueError, match="n_steps must be an integer of at least 3, got 1"):
        traverse(vae, n_steps=1)
    for tail in (0, 0.5, np.nan, -1):
        with pytest.raises(ValueError, match=r"tail must be between 0 and 0\.5"):
            traverse(vae, tail=tail)
    with pytest.raises(ValueError, match="12 features"):
        traverse(vae, PIXELS[0, :4])
    with pytest.raises(NotFittedError):
        traverse(VAE())
