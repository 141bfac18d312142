"""Compare AEs and VAEs over latent dimensions and seeds: train them, evaluate them, judge their samples."""

import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone

from npvae import version
from npvae.counted import counted
from npvae.study.experiment.cache import KINDS, Cell, StudyFolder, content_key
from npvae.study.experiment.continuing import checkpoint_options, resume_point
from npvae.study.experiment.judging import judge_controls, make_judge, number_compared
from npvae.study.experiment.model_study import ModelStudy, study_model
from npvae.study.experiment.workers import Leash, leash, on
from npvae.study.jsonable import to_jsonable
from npvae.study.metrics.quality import SampleJudge, SampleQuality, restore_quality
from npvae.training.interrupt import InterruptRequest

if TYPE_CHECKING:
    from npvae.data import Dataset
    from npvae.estimators import VAE, Autoencoder

_Result = tuple[Cell, ModelStudy | None]  # no study: interrupted
_NOT_CONTENT = (
    "latent_dim",
    "random_state",
    "n_threads",
    "verbose",
)  # in the cell, or without effect


@dataclass(frozen=True, eq=False)
class Comparison:
    """The results of `compare`.

    Attributes
    ----------
    data : Dataset
    latent_dims, seeds : tuples of int
    studies : dict
        From `Cell` to `ModelStudy`: an AE and a VAE for every latent dimension and seed.
    controls : dict
        From a name in `npvae.study.experiment.controls.CONTROLS` to the quality of those images.
    n_compared : int
        Number of images in each set of samples, and of real images.
    classifier_accuracy : float
        Accuracy on the test images of the classifier whose features are used; NaN without labels.
    """

    data: "Dataset"
    latent_dims: tuple[int, ...]
    seeds: tuple[int, ...]
    studies: dict[Cell, ModelStudy]
    controls: dict[str, SampleQuality]
    n_compared: int
    classifier_accuracy: float

    def study(self, kind: str, latent_dim: int, seed: int | None = None) -> ModelStudy:
        """Return the study of one model, by default with the first seed."""
        return self.studies[Cell(latent_dim, self.seeds[0] if seed is None else seed, kind)]

    def figures(self, kind: str, latent_dim: int, *path: str | int) -> np.ndarray:
        """Return a figure for every seed by its path in `ModelStudy.figures`; NaN if it does not apply."""
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
    """Train an AE and a VAE for every latent dimension and seed, evaluate them, and judge their samples.

    Parameters
    ----------
    data : Dataset
        Models, samplers and feature spaces are fitted to the training part; everything is measured on the
        test part.
    ae : Autoencoder
    vae : VAE
        Settings of the models. The estimators themselves are not fitted, only copies of them.
    latent_dims, seeds : sequences of int
    n_samples : int, optional
        Samples to judge per model and sampler. By default the number of test images, at most 5000.
    n_importance_samples : int
        Importance samples for ln p(x).
    n_jobs : int, optional
        Models to train in parallel, as in joblib; ``joblib.parallel_config`` chooses the backend. Workers
        share the cores, and all need access to `folder`.
    folder : StudyFolder, optional
        Cache: models and measurements in it are reused if data, settings and version of npvae are the same.
    report : callable
        Called with a line of text at each step.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        A setting is out of range, `early_stopping` is set, there are fewer than 10 training or 20 test
        images, or `n_samples` is below 10 or larger than the test or the training set.
    TrainingDivergedError
        A loss was not finite. `folder` contains the model as it was before, and all finished results.
    KeyboardInterrupt
        `folder` contains the model as it was when interrupted, and all finished results.
    """
    n = number_compared(data, n_samples)
    latent_dims, seeds = _distinct(latent_dims), _distinct(seeds)
    prototypes: dict[str, Autoencoder | VAE] = {"AE": ae, "VAE": vae}
    for kind, latent_dim in [(kind, latent_dim) for kind in prototypes for latent_dim in latent_dims]:
        clone(prototypes[kind]).set_params(latent_dim=latent_dim).check_settings(data.X_train.shape[1])
    if ae.early_stopping or vae.early_stopping:
        raise ValueError(
            "early_stopping would select models on the test images; leave it off and set max_epochs"
        )
    content = {"data": data.sha256, "npvae": version.__version__}
    # Measurements stored with other names of metrics are made again.
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
        report(f"{len(keys) - len(pending)} of {len(keys)} models are in the cache, trained and measured")
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
    """Return a cell's study from the cache; None unless it contains both measurements and model."""
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
    """Train and measure one model; the study is None if training was interrupted."""
    model = folder.load_model(cell, model_key) if folder is not None else None
    if model is None:
        model = clone(prototype).set_params(latent_dim=cell.latent_dim, random_state=cell.seed)
        checkpoint = None if folder is None else folder.checkpoint_file(cell, model_key)
        resumed = None if checkpoint is None else resume_point(checkpoint, model)
        try:
            if resumed is None:
                n = prototype.max_epochs
                report(f"training {cell.name}" + ("" if n is None else f", {counted(n, 'epoch')}"))
                options = {} if checkpoint is None else checkpoint_options(checkpoint, model)
                model.fit(data.X_train, X_val=data.X_test, **options)
            else:
                model, saved = resumed
                report(f"training {cell.name}, continued after epoch {model.n_iter_} of {model.max_epochs}")
                model.train_resumed(saved, checkpoint, data.X_train, X_val=data.X_test)
        finally:
            if folder is not None and hasattr(model, "params_"):
                place = folder.place_of(cell, model)
                folder.save_model(cell, model_key, model)
                if model.stop_reason_ != "max_epochs":
                    report(f"the model so far is saved in {place}")
        if model.stop_reason_ == "interrupted":
            return cell, None
    report(f"measuring {cell.name}")
    study = study_model(cell, model, data, judge, n_importance_samples=n_importance_samples)
    if folder is not None:
        folder.save_measured(cell.name, measured_key, study.numbers(), study.arrays())
    return cell, study


def _outcome(
    held: Leash, function: Callable[..., _Result], cell: Cell, *arguments: Any
) -> _Result | Exception:
    """Return function(cell, *arguments), or its error: if that were raised, joblib would kill all workers."""
    try:
        with on(held):
            return function(cell, *arguments)
    except KeyboardInterrupt:
        return cell, None
    except Exception as error:
        error.add_note(traceback.format_exc())  # it would not come back with the error
        return error


def _in_parallel(
    function: Callable[..., _Result], arguments: Sequence[tuple[Any, ...]], n_jobs: int | None
) -> Iterator[_Result]:
    """Yield the results of function(*arguments) as they finish; after Ctrl-C, start no further ones.

    The same after an error, which is raised when the other workers have saved their models as they are.
    """
    from joblib import Parallel, delayed, effective_n_jobs

    n_workers = min(effective_n_jobs(n_jobs), len(arguments))
    if n_workers == 1:
        for each in arguments:
            cell, study = function(*each)
            yield cell, study
            if study is None:
                return
        return
    # A terminal also sends Ctrl-C to the workers, which save their models: joblib must not kill them first.
    errors: list[Exception] = []
    with leash() as held, InterruptRequest(lambda: held.go_on.unlink(missing_ok=True)) as ctrl_c:
        begun = takewhile(lambda each: not (ctrl_c.requested or errors), arguments)
        parallel = Parallel(n_workers, return_as="generator_unordered", pre_dispatch="n_jobs", batch_size=1)
        try:
            for result in parallel(delayed(_outcome)(held, function, *each) for each in begun):
                if isinstance(result, Exception):
                    errors.append(result)
                    held.go_on.unlink(missing_ok=True)
                else:
                    yield result
        except RuntimeError:  # Ctrl-C ends idle workers
            if not ctrl_c.requested:
                raise
    if errors:
        raise errors[0]
    if ctrl_c.requested:  # perhaps after the last result
        raise KeyboardInterrupt
