"""Runs of `burda.py`: train a VAE or IWAE with k draws, and estimate -ln p(x) under the trained model."""

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from checkpoints import read_state, write_state
from measuring import write_json

import npvae
from npvae import VAE
from npvae.core.init import init_parameters, output_bias
from npvae.core.objectives import MultiSampleVAENetwork
from npvae.core.vae import VAENetwork
from npvae.data import binarize, load_dataset
from npvae.data.scaling import as_floats
from npvae.study.posterior.log_marginal import log_marginal_likelihood
from npvae.training import Adam, Stepper, TrainingSettings, train

ARCHITECTURE: dict[str, Any] = {
    "latent_dim": 50,
    "hidden": (200, 200),
    "activation": "tanh",
    "likelihood": "bernoulli",
}
BATCH = 20
ADAM = Adam(beta1=0.9, beta2=0.999, epsilon=1e-4 / BATCH)  # 1e-4 for the sum of a batch's gradients
N_SAMPLES, AT_STAGE_ENDS = (1, 50, 500, 5000), 500  # importance samples for each test image
TEST_SEED = 0
ACTIVE = 0.01  # a unit is active if its posterior mean varies more over the test images


class Job(NamedTuple):
    """One training, and how it is to be tested."""

    objective: str
    k: int
    stages: int
    seed: int
    data: str
    n_train: int | None
    n_test: int | None
    out: Path


def stage_ends(stages: int) -> list[int]:
    """Return the numbers of epochs after which a stage is complete."""
    return [(3 ** (i + 1) - 1) // 2 for i in range(stages)]


def learning_rates(stages: int) -> list[float]:
    """Return the learning rate of every epoch."""
    return [1e-3 * 10 ** (-i / (stages - 1)) for i in range(stages) for _ in range(3**i)]


class Run:
    """A training and what it has come to; goes on from the state that is in the folder."""

    def __init__(self, job: Job, X: np.ndarray) -> None:
        self.job, self.X, self.rates = job, X, learning_rates(job.stages)
        self.name = f"{job.objective}-k{job.k}-stages{job.stages}-seed{job.seed}-images{len(X)}"
        self.state = job.out / f"{self.name}.npz"
        self.history: dict[str, list[float]] = {}
        shape = {"n_features": X.shape[1], **ARCHITECTURE}
        if (job.objective, job.k) == ("elbo", 1):
            network = VAENetwork(**shape)
        else:
            network = MultiSampleVAENetwork(**shape, objective=job.objective, n_draws=job.k)
        params = init_parameters(network.shapes(), self.generator(0), "glorot")
        params["output.b"] = output_bias(as_floats(X, np.dtype(np.float64)).mean(axis=0), "bernoulli")
        self.stepper = Stepper(network, params, ADAM, self.generator(0))
        if self.state.exists():
            self.history = read_state(self.state, self.stepper)

    @property
    def epochs(self) -> int:
        """Return how many epochs are complete."""
        return len(self.history.get("loss", []))

    def generator(self, epoch: int) -> np.random.Generator:
        """Return an epoch's source of randomness, counted from 1: it needs not be stored to go on."""
        return np.random.default_rng((self.job.seed, epoch))

    def train(self) -> None:
        """Train to the end; write the state after each epoch, and a model file after each stage."""
        while self.epochs < len(self.rates):
            settings = TrainingSettings(
                learning_rate=self.rates[self.epochs],
                batch_size=BATCH,
                max_epochs=1,
                tol=None,
                dynamic_binarization=True,
                n_threads=1,
            )
            self.stepper.rng = rng = self.generator(self.epochs + 1)
            training = train(self.stepper, self.X, settings, rng)
            if training.stop_reason == "interrupted":
                raise KeyboardInterrupt
            for name, values in training.history.items():
                self.history.setdefault(name, []).extend(values)
            if self.epochs in stage_ends(self.job.stages):
                self.vae().save(self.model_file(self.epochs))
                loss, seconds = self.history["loss"][-1], np.median(self.history["seconds"])
                print(
                    f"{self.name}: epoch {self.epochs} of {len(self.rates)}, training loss {loss:.2f} nats, "
                    f"{seconds:.1f} s an epoch",
                    file=sys.stderr,
                )
            write_state(self.state, self.stepper, self.history)

    def model_file(self, epochs: int) -> Path:
        """Return where the model is after so many epochs."""
        return self.job.out / f"{self.name}-epoch{epochs}.safetensors"

    def vae(self) -> VAE:
        """Return the estimator that `fit` would have made."""
        vae = VAE(
            **ARCHITECTURE,
            objective=self.job.objective,
            n_draws=self.job.k,
            init="glorot",
            init_output_bias=True,
            optimizer=ADAM,
            learning_rate=self.rates[self.epochs - 1],
            batch_size=BATCH,
            max_epochs=self.epochs,
            dynamic_binarization=True,
            n_threads=1,
            random_state=self.job.seed,
        )
        vae.network_, vae.params_ = self.stepper.network, self.stepper.params
        vae.n_features_in_, vae.pixels_ = self.X.shape[1], False
        vae.data_range_ = np.array([[0.0], [1.0]]).repeat(self.X.shape[1], axis=1)
        vae.history_, vae.n_iter_ = self.history, self.epochs
        vae.stop_reason_, vae.best_epoch_ = "max_epochs", None
        return vae


def finished(job: Job) -> dict[str, Any]:
    """Return the figures of a run; train and test it first, if that has not been done."""
    data = load_dataset(job.data)
    run = Run(job, data.X_train[: job.n_train])
    X_test = drawn(data.X_test, job.n_test)
    path = job.out / f"{run.name}-tested-on{len(X_test)}.json"
    if not path.exists():
        run.train()
        write_json(path, tested(run, X_test))
    return json.loads(path.read_text())


def drawn(X: np.ndarray, n: int | None) -> np.ndarray:
    """Draw the pixels of all test images and return n of these, at random: the first half is the easier."""
    rng = np.random.default_rng(TEST_SEED)
    return binarize(X, rng)[rng.permutation(len(X))[:n]]


def nats(vae: VAE, X: np.ndarray, n_samples: int) -> np.ndarray:
    """Return -ln p(x) of every image."""
    return -log_marginal_likelihood(vae, X, n_samples=n_samples, random_state=TEST_SEED).log_likelihood


def tested(run: Run, X: np.ndarray) -> dict[str, Any]:
    """Return -ln p(x) after every stage, and in the end from several numbers of samples; active units."""
    models = {end: npvae.load(run.model_file(end)) for end in stage_ends(run.job.stages)}
    last = models[run.epochs]
    images = {n_samples: nats(last, X, n_samples) for n_samples in N_SAMPLES}
    return {
        "objective": run.job.objective,
        "k": run.job.k,
        "epochs": run.epochs,
        "stage_ends": list(models),
        "nats_at_stage_ends": [float(nats(vae, X, AT_STAGE_ENDS).mean()) for vae in models.values()],
        "nats": {str(n_samples): float(values.mean()) for n_samples, values in images.items()},
        "active_units": int((last.transform(X).var(axis=0) > ACTIVE).sum()),
        "hours": sum(run.history["seconds"]) / 3600,
        "nats_of_images": np.round(images[max(N_SAMPLES)], 4).tolist(),
    }
