"""Comparisons that take about a second, and others made of them with figures that are made up."""

import contextlib
import copy
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from npvae import VAE, Autoencoder
from npvae.data import Dataset
from npvae.study.comparison import compare
from npvae.study.experiment.cache import KINDS, Cell
from npvae.study.metrics import classifier, two_sample

N_TRAIN, N_TEST = 120, 40


QUICK = [
    (two_sample, "_EPOCHS", 1),
    (two_sample, "_STEPS", 4),
    (classifier, "_EPOCHS", 1),
    (classifier, "_STEPS", 8),
]


@contextlib.contextmanager
def quick_networks():
    """Train the networks that judge samples only a little: most of the time of a small comparison is theirs.

    Their figures are no good then; tests of what they say stand beside those of the modules themselves.
    """
    with pytest.MonkeyPatch.context() as patch:
        for module, name, value in QUICK:
            patch.setattr(module, name, value)
        yield


def make_data(*, labels=True, tabular=False, n_test=N_TEST, n_classes=2, seed=0):
    """Images of 3 x 4 pixels with a bright half, or rows of 12 numbers of all signs."""
    rng = np.random.default_rng(seed)
    n = N_TRAIN + n_test
    y = rng.integers(n_classes, size=n)
    if tabular:
        X = (rng.standard_normal((n, 3)) @ rng.standard_normal((3, 12)) + 1).astype(np.float32)
    else:
        X = rng.integers(0, 60, size=(n, 12), dtype=np.uint8)
        X[y == 0, :6] += 180
        X[y == 1, 6:] += 180
    parts = (X[:N_TRAIN], y[:N_TRAIN] if labels else None, X[N_TRAIN:], y[N_TRAIN:] if labels else None)
    return Dataset("halves", *parts, None if tabular else (3, 4))


def make_models(**settings):
    """An AE and a VAE that are not fitted."""
    common = {"hidden": (6,), "max_epochs": 3, "batch_size": 40, "n_threads": 1} | settings
    return Autoencoder(2, **common), VAE(2, **common)


def small_comparison(latent_dims=(2,), seeds=(0,), *, labels=True, tabular=False, n_classes=2):
    """A comparison that is made once; nobody changes it."""
    return _made(latent_dims, seeds, labels, tabular, n_classes)


@cache
def _made(latent_dims, seeds, labels, tabular, n_classes):
    data = make_data(labels=labels, tabular=tabular, n_classes=n_classes)
    models = make_models(likelihood="gaussian" if tabular else "bernoulli")
    with quick_networks():
        return compare(data, *models, latent_dims=latent_dims, seeds=seeds, n_importance_samples=20, n_jobs=1)


def enlarged(comparison, latent_dims, n_seeds, *, scale=1.0, seed=0):
    """Return as large a comparison as wanted, with the figures of a small one, varied from seed to seed."""
    rng = np.random.default_rng(seed)
    studies = {}
    for cell in [Cell(d, s, kind) for d in latent_dims for s in range(n_seeds) for kind in KINDS]:
        study = comparison.study(cell.kind, comparison.latent_dims[0])
        figures = _varied(study.figures, rng, scale)
        studies[cell] = replace(study, cell=cell, figures=figures, samples=_varied_samples(study, rng))
    return replace(comparison, latent_dims=tuple(latent_dims), seeds=tuple(range(n_seeds)), studies=studies)


def with_quality(comparison, kind, latent_dim, way, **values):
    """Return the comparison with other qualities of one way to sample, for all seeds."""
    studies = dict(comparison.studies)
    for seed in comparison.seeds:
        cell = Cell(latent_dim, seed, kind)
        samples = studies[cell].samples
        judged = replace(samples[way], quality=replace(samples[way].quality, **values))
        studies[cell] = replace(studies[cell], samples=samples | {way: judged})
    return replace(comparison, studies=studies)


def with_figure(comparison, kind, latent_dim, path, value, *, seed=None):
    """Return the comparison with another figure of the models, for one seed or all."""
    studies = dict(comparison.studies)
    for one in comparison.seeds if seed is None else [seed]:
        cell = Cell(latent_dim, one, kind)
        figures = copy.deepcopy(studies[cell].figures)
        *way, last = path
        place = figures
        for name in way:
            place = place[name]
        place[last] = value
        studies[cell] = replace(studies[cell], figures=figures)
    return replace(comparison, studies=studies)


def _varied(value, rng, scale):
    """Multiply every float within a plain value by about `scale`."""
    if isinstance(value, dict):
        return {name: _varied(entry, rng, scale) for name, entry in value.items()}
    if isinstance(value, list):
        return [_varied(entry, rng, scale) for entry in value]
    return value * scale * (1 + 0.02 * rng.standard_normal()) if isinstance(value, float) else value


def _varied_samples(study, rng):
    varied = {}
    for way, samples in study.samples.items():
        quality = samples.quality
        shares = {
            name: float(np.clip(getattr(quality, name) + 0.01 * rng.standard_normal(), 0, 1))
            for name in (
                "pixel_coverage",
                "feature_precision",
                "feature_recall",
                "two_sample_accuracy",
                "confidence",
            )
        }
        frechet = quality.frechet_classifier * (1 + 0.1 * rng.standard_normal())
        varied[way] = replace(samples, quality=replace(quality, **shares, frechet_classifier=frechet))
    return varied
