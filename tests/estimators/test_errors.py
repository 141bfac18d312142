"""Unsuitable data and settings: errors name the fix and leave an earlier fit as it was."""

import re
import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import InvalidParameterError

import npvae
from npvae import VAE, Autoencoder
from npvae.training import SGD, TrainingDivergedError

both = pytest.mark.parametrize("cls", [VAE, Autoencoder])
SMALL = {"hidden": (8,), "max_epochs": 2, "random_state": 0}


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(6).random((40, 4)).astype(np.float32)


class Unknown:
    """Of no use to anybody."""


WRONG = [
    None,
    "text",
    "",
    True,
    -1,
    0,
    1.5,
    np.nan,
    np.inf,
    [],
    {},
    np.datetime64("2026-01-01"),
    np.timedelta64(1, "s"),
    Fraction(1, 2),
    Unknown(),
    int,
]
ALLOWED = {
    "latent_dim": [1], "hidden": [[]], "activation": ["tanh"], "negative_slope": [1.5], "likelihood": [],
    "noise_variance": [1.5], "init": ["he"], "init_output_bias": [True], "optimizer": ["sgd"],
    "learning_rate": [0, 1.5, int], "max_grad_norm": [None, 1.5, np.inf], "batch_size": [1],
    "max_epochs": [None, 1], "tol": [None, 0, 1.5], "dynamic_binarization": [], "early_stopping": [True],
    "validation_fraction": [0.5], "n_iter_no_change": [1], "warm_start": [True], "n_threads": [None, 1],
    "random_state": [None, 0], "verbose": [True, 0], "beta": [0, 1.5], "objective": ["elbo"],
    "n_draws": [1], "kl_warmup_epochs": [0], "free_bits": [0, 1.5],
}  # fmt: skip
OUT_OF_RANGE = [
    ({name: value}, name)
    for name, allowed in ALLOWED.items()
    for value in WRONG
    if not any(value is a or (type(value) is type(a) and value == a) for a in allowed)
]
OUT_OF_RANGE += [
    *(({"hidden": value}, "hidden") for value in ((0,), (8, -1), (1.5,), (True,), [[8]], np.array(3))),
    *(({name: 10**400}, name) for name in ("beta", "free_bits", "noise_variance", "negative_slope")),
    *(({name: 10**12}, name) for name in ("n_threads", "random_state")),
    ({"learning_rate": 1e38}, "learning_rate"),
    ({"learning_rate": lambda epoch: -1}, "learning_rate"),
    ({"learning_rate": len}, "learning_rate"),
    ({"optimizer": SGD}, "optimizer"),
    ({"dynamic_binarization": True}, 'dynamic_binarization.*needs likelihood="bernoulli"'),
]
settings_out_of_range = pytest.mark.parametrize(
    ("settings", "message"),
    OUT_OF_RANGE,
    # Without addresses: processes that share the tests out must agree on their names.
    ids=[re.sub(r" at 0x\w+", "", str(settings)) for settings, _ in OUT_OF_RANGE],
)


@both
def test_every_parameter_declares_what_it_may_be(cls):
    assert set(cls._parameter_constraints) == set(cls().get_params())


@both
@settings_out_of_range
def test_settings_out_of_range(cls, settings, message, X):
    """One kind of error, which names the parameter, before any training."""
    if not settings.keys() <= cls().get_params().keys():
        pytest.skip("a parameter of VAE alone")
    for method in ("fit", "partial_fit"):
        model = cls(**{**SMALL, **settings})
        with pytest.raises(InvalidParameterError, match=message):
            getattr(model, method)(X)
        assert not hasattr(model, "params_")


ODD = [
    *WRONG,
    *(
        10**30,
        10**400,
        1e-320,
        1j,
        Decimal("0.5"),
        np.timedelta64(2),
        np.True_,
        b"text",
        "a\0b",
        np.str_("he"),
    ),
    *(np.int8(2), np.uint8(8), np.uint64(3), np.float16(0.5), np.float64(2), np.longdouble("0.5")),
    *(np.longdouble("1e400"), np.longdouble("1e-400"), np.array(0.5), np.ma.masked, len, lambda: 1),
    *(lambda epoch: np.float32(1e-3), lambda epoch: np.timedelta64(1), lambda epoch: [1e-3]),
    *(
        (7, 5),
        [np.uint8(7)],
        np.array([7, 5]),
        np.array([7.5]),
        np.array([[7]]),
        (np.timedelta64(7),),
        ("a",),
    ),
    *(np.random.RandomState(0), np.random.default_rng, SGD, SGD(0.5), SGD(np.float32(0.5))),
]


@both
@pytest.mark.parametrize("name", ALLOWED)
def test_odd_values_work_or_raise_the_one_kind_of_error(cls, name, X, tmp_path):
    """An error names the parameter, and changes nothing of a fitted model; other values can be saved."""
    if name not in cls().get_params():
        pytest.skip("a parameter of VAE alone")
    settings = SMALL | {"early_stopping": True, "tol": None}
    fitted, untouched = cls(**settings).fit(X), cls(**settings).fit(X)
    for value in ODD:
        model, path = cls(**{**SMALL, name: value}), tmp_path / "model"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.fit(X, callbacks=[lambda end: True]).partial_fit(X[:30]).save(path)
        except (MemoryError, TrainingDivergedError):
            continue
        except InvalidParameterError as error:
            assert name in str(error), value  # noqa: PT017 (some values are allowed)
        else:
            assert npvae.load(path).params_ == model.params_, value
            continue
        for method in (fitted.set_params(**{name: value}).fit, fitted.partial_fit):
            with pytest.raises(InvalidParameterError, match=name):
                method(X)
    for model in (fitted, untouched):
        model.set_params(**untouched.get_params() | {"warm_start": True}).fit(X)
    assert fitted.params_ == untouched.params_


WRONG_ARGUMENTS = [
    *(("callbacks", value) for value in (len, None, [5], "ab", [None], {len: 1}, [len, "len"])),
    *(("checkpoint", value) for value in (5, b"file", "dir\0x", "\ud800", ["file"], True, Unknown())),
    *(("checkpoint_every", value) for value in (0, 1.5, True, "1", np.timedelta64(1, "s"), [1])),
]


@both
@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize(("name", "value"), WRONG_ARGUMENTS, ids=lambda value: ascii(value).split(" at ")[0])
def test_arguments_of_fit_that_are_not_allowed(cls, name, value, warm_start, X, tmp_path):
    path = tmp_path / "checkpoint"
    model = cls(**SMALL, warm_start=warm_start).fit(X, checkpoint=path)
    params, history, rng_state = model.params_.copy(), model.history_, model._stepper.rng.bit_generator.state
    with pytest.raises(InvalidParameterError, match=f"^{name} must be"):
        model.fit(X[:, :3], **{name: value})  # before the data are looked at
    if name == "callbacks":
        with pytest.raises(InvalidParameterError, match=r"^callbacks must be"):
            cls.resume(path, X, callbacks=value)
    if name == "checkpoint":
        with pytest.raises(InvalidParameterError, match=r"^checkpoint must be"):
            cls.resume(value, X)
    resumed, saved = cls.prepare_resume(path, {})
    if name != "checkpoint":
        with pytest.raises(InvalidParameterError, match=f"^{name} must be"):
            resumed.train_resumed(saved, path, X, **{name: value})
    assert (model.params_, model.history_) == (params, history)
    assert model._stepper.rng.bit_generator.state == rng_state


@both
@pytest.mark.parametrize(
    "change",
    [{"verbose": "x"}, {"verbose": -1}, {"n_threads": 0}, {"n_threads": "2"}, {"n_threads": True}],
    ids=str,
)
def test_settings_of_resume_that_are_not_allowed(cls, change, X, tmp_path):
    cls(**SMALL).fit(X, checkpoint=tmp_path / "checkpoint")
    with pytest.raises(
        InvalidParameterError, match=f"The '{next(iter(change))}' parameter of {cls.__name__}"
    ):
        cls.resume(tmp_path / "checkpoint", X, **change)


@both
def test_a_refused_warm_start_draws_nothing(cls, X, tmp_path):
    """What fails after the parameters were checked leaves the random numbers and the split as they were."""
    settings = SMALL | {"early_stopping": True, "warm_start": True, "tol": None}
    model, untouched = cls(**settings).fit(X), cls(**settings).fit(X)
    taken = tmp_path / "taken"
    taken.write_text("no checkpoint")
    with pytest.raises(InvalidParameterError, match=r"checkpoint=.* exists and is no checkpoint"):
        model.fit(X[:30], checkpoint=taken)
    with pytest.raises(ValueError, match="Set warm_start=False"):
        model.set_params(hidden=(9,)).fit(X[:30])
    with pytest.raises(MemoryError):
        model.set_params(latent_dim=10**12, warm_start=False).fit(X[:30])
    model.set_params(**settings, latent_dim=2)
    assert model.fit(X).params_ == untouched.fit(X).params_


@pytest.mark.parametrize("fraction", [0.7, 0.999])
def test_a_split_that_leaves_no_rows_for_training(fraction, X):
    with pytest.raises(InvalidParameterError, match="validation_fraction must leave at least one sample"):
        VAE(**SMALL, early_stopping=True, validation_fraction=fraction).fit(X[:3])


def test_numpy_numbers_and_lists_are_allowed(X):
    settings = {"latent_dim": np.int64(2), "hidden": [np.int32(8)], "learning_rate": np.float32(1e-3)}
    assert VAE(**settings, max_epochs=np.int16(1), beta=np.float64(1), tol=None).fit(X).n_iter_ == 1


@both
@pytest.mark.parametrize("method", ["fit", "partial_fit", "score_samples"])
@pytest.mark.parametrize("value", [-0.25, 1.5])
def test_bernoulli_data_outside_of_the_unit_interval(cls, method, value, X):
    bad = X.copy()
    bad[3, 2] = value
    model = cls(**SMALL, likelihood="bernoulli").fit(X)
    with pytest.raises(ValueError, match=rf"in \[0, 1\], got values from .*{value}.*MinMaxScaler.*gaussian"):
        getattr(model, method)(bad)


@both
@pytest.mark.parametrize(
    "method", ["fit", "partial_fit", "transform", "reconstruct", "score_samples", "score"]
)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_data_that_are_not_finite(cls, method, value, X):
    bad = X.copy()
    bad[3, 2] = value
    with pytest.raises(ValueError, match=r"contains (NaN|infinity)"):
        getattr(cls(**SMALL).fit(X), method)(bad)


@both
@pytest.mark.parametrize("method", ["partial_fit", "transform", "reconstruct", "score_samples", "score"])
def test_data_of_another_width(cls, method, X):
    message = f"X has 3 features, but {cls.__name__} is expecting 4 features"
    with pytest.raises(ValueError, match=message):
        getattr(cls(**SMALL).fit(X), method)(X[:, :3])


@both
def test_validation_data_of_another_width(cls, X):
    with pytest.raises(ValueError, match=r"X_val does not fit X\. X has 3 features, but .* is expecting 4"):
        cls(**SMALL).fit(X, X_val=X[:, :3])


def test_encode_checks_its_data(X):
    with pytest.raises(ValueError, match="X has 3 features"):
        VAE(**SMALL).fit(X).encode(X[:, :3])


@both
def test_latent_points_of_another_width(cls, X):
    with pytest.raises(ValueError, match="Z must have 2 columns, one for each latent dimension, got 3"):
        cls(**SMALL).fit(X).inverse_transform(np.zeros((5, 3)))


@both
def test_latent_points_that_are_not_finite(cls, X):
    with pytest.raises(ValueError, match="contains NaN"):
        cls(**SMALL).fit(X).inverse_transform([[0.0, np.nan]])


HUGE = [10**12, 10**30, 10**400]


@pytest.mark.parametrize("n", HUGE)
@pytest.mark.parametrize("name", ["latent_dim", "hidden", "n_draws"])
def test_settings_that_do_not_fit_into_memory(name, n, X):
    model = VAE(**SMALL | {name: (n, 8) if name == "hidden" else n})
    if n == HUGE[-1] and name != "hidden":  # more than the range of its declaration
        with pytest.raises(ValueError, match=name):
            model.fit(X)
        return
    with pytest.raises(MemoryError, match=rf"{name}=\(?{n}.* needs at least .* GiB of memory"):
        model.fit(X)
    if name != "n_draws":  # how many rows a step has is not known
        with pytest.raises(MemoryError, match=name):
            model.check_settings(4)
    assert not hasattr(model, "params_")


@pytest.mark.parametrize("n", HUGE)
def test_numbers_of_draws_that_do_not_fit_into_memory(n, X):
    model = VAE(**SMALL).fit(X)
    with pytest.raises(MemoryError, match=f"n_samples={n} needs at least .* GiB of memory"):
        model.sample(n)
    with pytest.raises(MemoryError, match=f"n_draws={n} with 2 latent dimensions needs"):
        model.score_samples(X, n_draws=n)


def test_a_batch_size_above_the_number_of_rows_is_theirs(X):
    assert VAE(**SMALL, batch_size=10**30).fit(X).params_ == VAE(**SMALL, batch_size=len(X)).fit(X).params_


def test_more_latent_dimensions_than_scipy_has_sobol_sequences_for(X):
    model = VAE(21_202, hidden=(), max_epochs=1).fit(X)
    assert np.isfinite(model.score(X[:2]))


@both
@pytest.mark.parametrize("seed", [True, -1, "text", np.timedelta64(1, "s")], ids=repr)
def test_seeds_of_methods(cls, seed, X):
    with pytest.raises(ValueError, match=r"random_state must be|cannot be used to seed"):
        cls(**SMALL).fit(X).sample(random_state=seed)


@both
@pytest.mark.parametrize("path", [5, None, "dir\0x"])
def test_paths_to_save_at(cls, path, X):
    with pytest.raises(InvalidParameterError, match=r"^path must be the path of a file"):
        cls(**SMALL).fit(X).save(path)


@both
@pytest.mark.parametrize("n_samples", [0, -1, 2.0, None, True, np.timedelta64(1, "s")], ids=repr)
def test_the_number_of_samples(cls, n_samples, X):
    message = f"n_samples must be an integer of at least 1, got {n_samples!r}"
    with pytest.raises(ValueError, match=re.escape(message)):
        cls(**SMALL).fit(X).sample(n_samples)


@both
@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("transform", ([[0.0] * 4],)),
        ("inverse_transform", ([[0.0] * 2],)),
        ("reconstruct", ([[0.0] * 4],)),
        ("score_samples", ([[0.0] * 4],)),
        ("score", ([[0.0] * 4],)),
        ("sample", ()),
        ("save", ("never_written.safetensors",)),
    ],
)
def test_before_it_is_fitted(cls, method, arguments):
    with pytest.raises(NotFittedError, match=f"This {cls.__name__} instance is not fitted yet"):
        getattr(cls(), method)(*arguments)


def test_encode_before_it_is_fitted():
    with pytest.raises(NotFittedError, match="This VAE instance is not fitted yet"):
        VAE().encode([[0.0] * 4])


FAILING_FITS = {
    "settings": (lambda X: X, {"latent_dim": 0}),
    "settings, other width": (lambda X: X[:, :3], {"latent_dim": 0}),
    "optimizer, other width": (lambda X: X[:, :3], {"optimizer": "adamw"}),
    "batch size, other width": (lambda X: X[:, :3], {"batch_size": 0}),
    "NaN": (lambda X: np.where(X > 0.9, np.nan, X), {}),
    "out of range": (lambda X: X + 1, {}),
    "out of range, other width": (lambda X: X[:, :3] + 1, {}),
    "data frame with NaN": (lambda X: pd.DataFrame(np.where(X > 0.9, np.nan, X), columns=list("abcd")), {}),
}


@both
@pytest.mark.parametrize("case", FAILING_FITS)
def test_a_failed_fit_leaves_an_earlier_one_as_it_was(cls, case, X):
    spoil, settings = FAILING_FITS[case]
    model = cls(**SMALL, likelihood="bernoulli").fit(X)
    codes, history = model.transform(X), model.history_
    with pytest.raises(ValueError):  # noqa: PT011 (which one is tested above)
        model.set_params(**settings).fit(spoil(X))
    assert model.n_features_in_ == 4
    np.testing.assert_array_equal(model.transform(X), codes)
    assert model.history_ is history


@both
def test_failed_validation_data_leave_an_earlier_fit_as_it_was(cls, X):
    model = cls(**SMALL).fit(X)
    codes = model.transform(X)
    with pytest.raises(ValueError, match=r"X_val does not fit X\. X has 4 features, but .* is expecting 3"):
        model.fit(X[:, :3], X_val=X)
    np.testing.assert_array_equal(model.transform(X), codes)


@both
@pytest.mark.parametrize("optimizer", ["adam", "adagrad", "sgd"])
@pytest.mark.parametrize("learning_rate", [1e2, 1e4, 1e6])
def test_a_huge_learning_rate(cls, optimizer, learning_rate):
    X = 10 * np.random.default_rng(0).random((500, 20))
    model = cls(
        hidden=(32, 32), optimizer=optimizer, learning_rate=learning_rate, max_epochs=50, random_state=0
    )
    with pytest.raises(
        TrainingDivergedError, match=r"not finite in epoch \d+, batch \d.*Lower learning_rate"
    ):
        model.fit(X)
    assert model.stop_reason_ == "diverged"
    assert model.n_iter_ == len(model.history_.get("loss", []))
    assert np.all(np.isfinite(model.params_.flat))


@both
def test_a_fit_ended_by_a_callbacks_error_keeps_what_was_learned(cls, X):
    model = cls(**SMALL)
    with pytest.raises(ZeroDivisionError):
        model.fit(X, callbacks=[lambda state: 1 / 0])
    assert model.n_iter_ == 1
    assert model.transform(X).shape == (40, 2)
    assert model.stop_reason_ != "max_epochs"  # one of two was reached
