"""AEs and VAEs side by side, over latent dimensions and seeds: where their codes lie, what they sample."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone

from npvae import version
from npvae.study.experiment.cache import KINDS, Cell, StudyFolder, content_key
from npvae.study.experiment.judging import judge_controls, make_judge, number_compared
from npvae.study.experiment.model_study import ModelStudy, restore_quality, study_model
from npvae.study.jsonable import to_jsonable
from npvae.study.metrics.quality import SampleJudge, SampleQuality
from npvae.training.interrupt import InterruptRequest

if TYPE_CHECKING:
    from npvae.data import Dataset
    from npvae.estimators import VAE, Autoencoder

_Result = tuple[Cell, ModelStudy | None]
_NOT_CONTENT = ("latent_dim", "random_state", "n_threads", "verbose")  # said by the cell, or without effect


@dataclass(frozen=True, eq=False)
class Comparison:
    """All studies of a comparison.

    Attributes
    ----------
    data : Dataset
    latent_dims, seeds : tuples of int
    studies : dict
        From `Cell` to `ModelStudy`; one of each kind for every latent dimension and seed.
    controls : dict
        From a name in `npvae.study.experiment.controls.CONTROLS` to the quality of those images.
    n_compared : int
        Images of each kind that were compared.
    classifier_accuracy : float
        On the test images, of the classifier whose features are compared; NaN without labels.
    """

    data: "Dataset"
    latent_dims: tuple[int, ...]
    seeds: tuple[int, ...]
    studies: dict[Cell, ModelStudy]
    controls: dict[str, SampleQuality]
    n_compared: int
    classifier_accuracy: float

    def study(self, kind: str, latent_dim: int, seed: int | None = None) -> ModelStudy:
        """Return one study; by default that of the first seed."""
        return self.studies[Cell(latent_dim, self.seeds[0] if seed is None else seed, kind)]

    def figures(self, kind: str, latent_dim: int, *path: str | int) -> np.ndarray:
        """Return a figure of `ModelStudy.figures` for every seed, named by its path; NaN if there is none."""
        values = []
        for seed in self.seeds:
            value: Any = self.study(kind, latent_dim, seed).figures
            for name in path:
                value = None if value is None else value[name]
            values.append(np.nan if value is None else value)
        return np.array(values, dtype=np.float64)

    def qualities(self, kind: str, latent_dim: int, way: str, name: str) -> np.ndarray:
        """Return a field of `SampleQuality` for every seed."""
        studies = [self.study(kind, latent_dim, seed) for seed in self.seeds]
        return np.array([getattr(study.samples[way].quality, name) for study in studies], dtype=np.float64)


def compare(
    data: "Dataset",
    ae: "Autoencoder",
    vae: "VAE",
    *,
    latent_dims: Sequence[int] = (2,),
    seeds: Sequence[int] = (0,),
    n_samples: int | None = None,
    n_importance_samples: int = 1000,
    n_jobs: int | None = None,
    folder: StudyFolder | None = None,
    report: Callable[[str], None] = lambda message: None,
) -> Comparison:
    """Train an AE and a VAE for every latent dimension and seed, and study them.

    Parameters
    ----------
    data : Dataset
        The training part trains, fits the distributions of codes and the principal components; the test part
        is what samples are compared with.
    ae : Autoencoder
    vae : VAE
        Not fitted: their copies are, with every latent dimension and seed.
    latent_dims, seeds : sequences of int
    n_samples : int, optional
        Images of each kind that are compared; by default as many as there are test images, at most 5000.
    n_importance_samples : int
        For ln p(x).
    n_jobs : int, optional
        Trainings at the same time, as joblib understands it; ``joblib.parallel_config`` chooses the backend.
        Workers share the cores, and write into `folder`, which they all must see.
    folder : StudyFolder, optional
        What lies there and was made from the same data, settings and version of npvae is not made again.
    report : callable
        Told in a line what is done.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        A setting is out of its range, a model would stop early, there are fewer than 10 training or 20 test
        images, or `n_samples` is below 10 or larger than the test or the training set.
    TrainingDivergedError
        A loss was not finite. The model as it was before, and all that was finished, is in `folder`.
    KeyboardInterrupt
        Likewise; the model has what it learned until then.
    """
    n = number_compared(data, n_samples)
    latent_dims, seeds = _distinct(latent_dims), _distinct(seeds)
    prototypes: dict[str, Autoencoder | VAE] = {"AE": ae, "VAE": vae}
    for kind, latent_dim in [(kind, latent_dim) for kind in prototypes for latent_dim in latent_dims]:
        clone(prototypes[kind]).set_params(latent_dim=latent_dim).check_settings(data.X_train.shape[1])
    if ae.early_stopping or vae.early_stopping:
        raise ValueError(
            "early_stopping would choose models by the test images; train for max_epochs instead"
        )
    content = {"data": data.sha256, "npvae": version.__version__}
    # Measurements that were kept under other names are made again.
    qualities = [field.name for field in fields(SampleQuality)]
    measuring = {"n_samples": n, "n_importance_samples": n_importance_samples, "qualities": qualities}
    keys = {}
    for cell in (Cell(d, seed, kind) for d in latent_dims for seed in seeds for kind in KINDS):
        params = prototypes[cell.kind].get_params(deep=False)
        training = content | {name: value for name, value in params.items() if name not in _NOT_CONTENT}
        keys[cell] = content_key(training), content_key(training | measuring)
    control_key = content_key(content | {"n_samples": n, "qualities": qualities})

    studies = {cell: _restored(folder, cell, *keys[cell]) for cell in keys}
    control = None if folder is None else folder.load_measured("controls", control_key)
    pending = [cell for cell, study in studies.items() if study is None]
    if len(pending) < len(keys):
        report(f"{len(keys) - len(pending)} of {len(keys)} models are there, trained and measured")
    if pending or control is None:
        judge = make_judge(data, n, report)
    if control is None:
        accuracy = judge.accuracy(data.X_test, data.y_test)
        numbers = to_jsonable({"controls": judge_controls(data, judge, report), "accuracy": accuracy})
        if folder is not None:
            folder.save_measured("controls", control_key, numbers, {})
    else:
        numbers = control[0]
    if pending:
        one = partial(_train_and_study, data=data, judge=judge, folder=folder, report=report)
        arguments = [(cell, prototypes[cell.kind], *keys[cell], n_importance_samples) for cell in pending]
        for cell, study in _in_parallel(one, arguments, n_jobs):
            if study is not None:
                studies[cell] = study
                n_done = sum(study is not None for study in studies.values())
                report(f"{cell.name} is trained and measured ({n_done} of {len(studies)})")
    complete = {cell: study for cell, study in studies.items() if study is not None}
    if len(complete) < len(studies):
        raise KeyboardInterrupt
    accuracy = float("nan") if numbers["accuracy"] is None else numbers["accuracy"]
    controls = {name: restore_quality(quality) for name, quality in numbers["controls"].items()}
    return Comparison(data, latent_dims, seeds, complete, controls, n, accuracy)


def _distinct(values: Sequence[int]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(values))


def _restored(folder: StudyFolder | None, cell: Cell, model_key: str, measured_key: str) -> ModelStudy | None:
    """Return the study of a cell from a folder, if both it and its model are there."""
    if folder is None:
        return None
    measured = folder.load_measured(cell.name, measured_key)
    model = folder.load_model(cell, model_key) if measured is not None else None
    if measured is None or model is None:
        return None
    return ModelStudy.restore(cell, model, *measured)


def _train_and_study(
    cell: Cell,
    prototype: "VAE | Autoencoder",
    model_key: str,
    measured_key: str,
    n_importance_samples: int,
    *,
    data: "Dataset",
    judge: SampleJudge,
    folder: StudyFolder | None,
    report: Callable[[str], None],
) -> _Result:
    """Do one cell's work; without a study if it was interrupted."""
    model = folder.load_model(cell, model_key) if folder is not None else None
    if model is None:
        report(f"training {cell.name}, {prototype.max_epochs} epochs")
        model = clone(prototype).set_params(latent_dim=cell.latent_dim, random_state=cell.seed)
        try:
            model.fit(data.X_train, X_val=data.X_test)
        finally:
            if folder is not None and hasattr(model, "params_"):
                folder.save_model(cell, model_key, model)
                if model.stop_reason_ != "max_epochs":
                    report(f"what was reached is in {folder.model_file(cell)}")
        if model.stop_reason_ == "interrupted":
            return cell, None
    report(f"measuring {cell.name}")
    study = study_model(cell, model, data, judge, n_importance_samples=n_importance_samples)
    if folder is not None:
        folder.save_measured(cell.name, measured_key, study.numbers(), study.arrays())
    return cell, study


def _until_interrupted(function: Callable[..., _Result], cell: Cell, *arguments: Any) -> _Result:
    """Return function(cell, *arguments); after Ctrl-C no study, as an exception would end other workers."""
    try:
        return function(cell, *arguments)
    except KeyboardInterrupt:
        return cell, None


def _in_parallel(
    function: Callable[..., _Result], arguments: Sequence[tuple[Any, ...]], n_jobs: int | None
) -> Iterator[_Result]:
    """Yield function(*arguments) of each, as they are finished; after Ctrl-C none is begun any more."""
    from joblib import Parallel, delayed, effective_n_jobs

    n_workers = min(effective_n_jobs(n_jobs), len(arguments))
    if n_workers == 1:
        for each in arguments:
            cell, study = function(*each)
            yield cell, study
            if study is None:
                return
        return
    # A terminal sends Ctrl-C to the workers too, which save what they have: joblib must not kill them first.
    with InterruptRequest() as ctrl_c:
        begun = takewhile(lambda each: not ctrl_c.requested, arguments)
        parallel = Parallel(n_workers, return_as="generator_unordered", pre_dispatch="n_jobs", batch_size=1)
        try:
            yield from parallel(delayed(_until_interrupted)(function, *each) for each in begun)
        except RuntimeError:  # an idle worker does not survive it
            if not ctrl_c.requested:
                raise
