"""Numbers of samples that do not fit into memory are named before anything is drawn."""

import numpy as np
import pytest

from npvae import study


@pytest.fixture(scope="module")
def codes():
    return np.random.default_rng(0).standard_normal((40, 2))


@pytest.fixture(scope="module")
def model(codes):
    from npvae import VAE

    return VAE(2, hidden=(), max_epochs=1, random_state=0).fit(codes)


def rng():
    return np.random.default_rng(0)


DRAWS = {
    "StandardNormal": lambda model, codes, n: study.StandardNormal(2).draw(n, rng()),
    "FittedGaussian": lambda model, codes, n: study.FittedGaussian.fit(codes).draw(n, rng()),
    "FittedMixture": lambda model, codes, n: study.FittedMixture.fit(codes, n_components=2, seed=0).draw(
        n, rng()
    ),
    "ResampledCodes": lambda model, codes, n: study.ResampledCodes(codes).draw(n, rng()),
    "independent_pixels": lambda model, codes, n: study.independent_pixels(codes, n, rng()),
    "principal_gaussian": lambda model, codes, n: study.principal_gaussian(
        study.PrincipalFeatures.fit(codes), n, rng()
    ),
    "latent_plane": lambda model, codes, n: study.latent_plane(n),
    "decode_plane": lambda model, codes, n: study.decode_plane(model, n),
    "interpolate": lambda model, codes, n: study.interpolate(codes[0], codes[1], n, "linear"),
    "traverse": lambda model, codes, n: study.traverse(model, codes[0], codes, n_steps=n + 1),
}


@pytest.mark.parametrize("n", [10**12, 10**30, 10**400])
@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_what_does_not_fit_is_named(draw, n, model, codes):
    with pytest.raises(
        MemoryError, match=r"^n(_samples|_side|_steps)?=10+.* needs at least .* GiB of memory"
    ):
        draw(model, codes, n)
