"""scikit-learn's own checks, and its idea of names and containers."""

import numpy as np
import pandas as pd
import pytest
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from npvae import VAE, Autoencoder

SMALL = {"hidden": (16,), "max_epochs": 2}


# Many of them fit one estimator twice.
@pytest.mark.filterwarnings("ignore:fit starts from scratch")
@parametrize_with_checks(
    [
        VAE(**SMALL),
        Autoencoder(**SMALL),
        VAE(**SMALL, activation="tanh", noise_variance=1.0, init_output_bias=True, early_stopping=True),
    ]
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


# Some of them fit a data frame and transform an array, or the other way round.
@pytest.mark.filterwarnings("ignore:fit starts from scratch")
@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names:UserWarning")
@pytest.mark.parametrize("cls", [VAE, Autoencoder])
@pytest.mark.parametrize(
    "name",
    [
        "check_set_output_transform",
        "check_set_output_transform_pandas",
        "check_global_output_transform_pandas",
        "check_dataframe_column_names_consistency",
        "check_transformer_get_feature_names_out",
        "check_transformer_get_feature_names_out_pandas",
        "check_n_features_in_after_fitting",
        "check_estimators_partial_fit_n_features",
    ],
)
def test_checks_that_check_estimator_leaves_out(cls, name):
    getattr(estimator_checks, name)(cls.__name__, cls(**SMALL))


@pytest.mark.parametrize(("cls", "prefix"), [(VAE, "vae"), (Autoencoder, "autoencoder")])
def test_a_data_frame_of_codes(cls, prefix, rng):
    frame = pd.DataFrame(rng.standard_normal((20, 3)), columns=["a", "b", "c"], index=range(100, 120))
    codes = cls(**SMALL).set_output(transform="pandas").fit_transform(frame)
    assert list(codes.columns) == [f"{prefix}0", f"{prefix}1"]
    assert list(codes.index) == list(frame.index)


@pytest.mark.parametrize("cls", [VAE, Autoencoder])
def test_the_constructor_stores_what_it_is_given(cls):
    hidden = [3, 4]  # unsuitable: found by fit, not by the constructor
    estimator = cls(latent_dim="many", hidden=hidden, learning_rate=None)
    assert estimator.hidden is hidden
    assert estimator.get_params()["latent_dim"] == "many"


def test_the_autoencoder_has_the_parameters_of_the_vae_without_the_kl():
    vae, autoencoder = VAE().get_params(), Autoencoder().get_params()
    assert {name: vae[name] for name in autoencoder} == autoencoder
    assert vae.keys() - autoencoder.keys() == {
        "beta",
        "kl_warmup_epochs",
        "free_bits",
        "objective",
        "n_draws",
    }


@pytest.mark.parametrize("cls", [VAE, Autoencoder])
def test_fitted_attributes(cls, rng):
    X = rng.uniform(-2, 5, (30, 3))
    estimator = cls(**SMALL).fit(X)
    assert estimator.n_features_in_ == 3
    assert estimator.n_iter_ == 2
    assert estimator.stop_reason_ == "max_epochs"
    assert estimator.best_epoch_ is None
    np.testing.assert_array_equal(estimator.data_range_, [X.min(axis=0), X.max(axis=0)])
    assert estimator.params_.flat.dtype == np.float32
    assert estimator.network_.latent_dim == 2
