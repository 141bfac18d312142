"""Results for one trained model of a comparison: its evaluation, and the quality of its samples."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from npvae.study.evaluation import evaluate
from npvae.study.experiment.cache import Cell
from npvae.study.experiment.judging import JudgedSamples, judge_samples
from npvae.study.jsonable import to_jsonable
from npvae.study.metrics.quality import SampleJudge, restore_quality

if TYPE_CHECKING:
    from npvae.data import Dataset
    from npvae.estimators import VAE, Autoencoder

N_CODES = 5000  # codes of test images kept for pictures


@dataclass(frozen=True, eq=False)
class ModelStudy:
    """Results for one model.

    Attributes
    ----------
    cell : Cell
    estimator : Autoencoder or VAE
    figures : dict
        The result of `npvae.study.evaluate` on the test images, in JSON's types.
    codes : (n, Z) array
        Codes of the first test images; for the VAE the posterior means.
    samples : dict
        From a name in `SAMPLERS` to the samples.
    """

    cell: Cell
    estimator: "Autoencoder | VAE"
    figures: dict[str, Any]
    codes: np.ndarray
    samples: dict[str, JudgedSamples]

    def numbers(self) -> dict[str, Any]:
        """Return all results except arrays and estimator, in JSON's types."""
        qualities = {way: to_jsonable(samples.quality) for way, samples in self.samples.items()}
        return {"figures": self.figures, "samples": qualities}

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays by name."""
        arrays = {"codes": self.codes}
        for way, samples in self.samples.items():
            arrays |= {f"z.{way}": samples.z, f"images.{way}": samples.images}
        return arrays

    @classmethod
    def restore(
        cls,
        cell: Cell,
        estimator: "Autoencoder | VAE",
        numbers: dict[str, Any],
        arrays: dict[str, np.ndarray],
    ) -> Self:
        """Return the study with these `numbers` and `arrays`."""
        samples = {
            way: JudgedSamples(arrays[f"z.{way}"], arrays[f"images.{way}"], restore_quality(quality))
            for way, quality in numbers["samples"].items()
        }
        return cls(cell, estimator, numbers["figures"], arrays["codes"], samples)


def study_model(
    cell: Cell,
    estimator: "Autoencoder | VAE",
    data: "Dataset",
    judge: SampleJudge,
    *,
    n_importance_samples: int = 1000,
) -> ModelStudy:
    """Evaluate a trained model, and judge its samples from every sampler.

    Parameters
    ----------
    cell : Cell
        Its seed is used for all random draws.
    estimator : Autoencoder or VAE
        Fitted.
    data : Dataset
        Samplers are fitted to the training part; everything is measured on the test part.
    judge : SampleJudge
        Made from the same data; it determines the number of samples.
    n_importance_samples : int
        For ln p(x).

    Returns
    -------
    ModelStudy
    """
    evaluation = evaluate(
        estimator, data.X_test, n_importance_samples=n_importance_samples, random_state=cell.seed
    )
    samples = judge_samples(estimator, data, judge, seed=cell.seed)
    codes = estimator.transform(data.X_test[:N_CODES])
    return ModelStudy(cell, estimator, to_jsonable(evaluation), codes, samples)
