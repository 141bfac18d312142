import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from npvae import VAE
from npvae.study import decode_point, nearest_code


def test_a_point_of_ones_own(model):
    np.testing.assert_array_equal(decode_point(model, (-2.5, 2)), model.inverse_transform([[-2.5, 2.0]])[0])
    with pytest.raises(ValueError, match=r"latent_dim=2.* got 3"):
        decode_point(model, (1, 2, 3))
    with pytest.raises(ValueError, match=r"latent_dim=2; got an array of shape \(1, 2\)"):
        decode_point(model, [[1, 2]])
    with pytest.raises(ValueError, match="NaN"):
        decode_point(model, (1, np.nan))
    with pytest.raises(NotFittedError):
        decode_point(VAE(), (1, 2))


def test_the_nearest_code(rng):
    codes = rng.standard_normal((50, 3))
    z = rng.standard_normal(3)
    index, distance = nearest_code(codes, z)
    distances = [np.sqrt(sum((c - z) ** 2)) for c in codes]
    assert index == np.argmin(distances)
    assert distance == pytest.approx(min(distances))
    assert nearest_code(codes, codes[7]) == (7, 0.0)
    with pytest.raises(ValueError, match="3 finite numbers"):
        nearest_code(codes, [1.0, 2.0])
