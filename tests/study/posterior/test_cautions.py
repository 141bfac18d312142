import numpy as np

from npvae.study.posterior.cautions import effective_caution, grey_caution


def test_grey():
    X = np.array([[0, 255], [0, 0]], dtype=np.uint8)
    assert grey_caution(X, "bernoulli") is None
    assert grey_caution(X / 255, "bernoulli") is None
    X[1, 1] = 254
    assert "1 of 4 values" in grey_caution(X, "bernoulli")
    assert "cross-entropies" in grey_caution(X / np.float32(255), "bernoulli")
    assert grey_caution(X, "gaussian") is None


def test_grey_is_looked_for_everywhere():
    X = np.zeros((3000, 2), np.float32)
    X[2999, 1] = 0.5
    assert "1 of 6000 values" in grey_caution(X, "bernoulli")


def test_effective_sample_size():
    assert effective_caution(10.0, 1000) is None
    assert effective_caution(9.9, 11) is not None
    assert effective_caution(2.5, 3) is None
    assert effective_caution(1.0, 10) is None, "so small a K gives the ELBO, or nearly"
    assert effective_caution(float("nan"), 1000) is None, "the log-variances have a warning of their own"
    caution = effective_caution(2.26, 1000)
    assert "K = 1000" in caution
    assert "only 2.3" in caution
