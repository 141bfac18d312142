"""Training: optimizers, schedules, minibatches and the loop over epochs."""

from npvae.training.loop import EpochEnd, Training, TrainingSettings, train
from npvae.training.optimizers import SGD, Adagrad, Adam
from npvae.training.schedules import CosineDecay
from npvae.training.step import Stepper, TrainingDivergedError

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "CosineDecay",
    "EpochEnd",
    "Stepper",
    "Training",
    "TrainingDivergedError",
    "TrainingSettings",
    "train",
]
