"""Studying a trained model: sampling from it, its latent space, and how good what comes out is."""

from npvae.study.aggregate import Bracket, aggregate_posterior_kl
from npvae.study.classifier import ClassifierFeatures
from npvae.study.controls import CONTROLS, Control, independent_pixels, principal_gaussian, real_halves
from npvae.study.densities import DrawnAgain, FittedGaussian, FittedMixture, Sampler, StandardNormal
from npvae.study.evaluate import evaluate
from npvae.study.evaluation import Evaluation, LogLikelihood, PosteriorFigures
from npvae.study.features import PrincipalFeatures
from npvae.study.frechet import frechet_distance
from npvae.study.judging import JudgedModel, Samples, judge_model, judge_samples
from npvae.study.latent import (
    CodeMoments,
    code_moments,
    decode_point,
    interpolate,
    interpolate_images,
    nearest_code,
)
from npvae.study.likelihood import LogMarginalLikelihood, log_marginal_likelihood
from npvae.study.memorisation import Memorisation, TrainingImages, memorisation
from npvae.study.nearest import nearest_images
from npvae.study.neighbours import BallCounts, NeighbourBalls, coverage, density, precision, recall
from npvae.study.normality import NormalityTests, normality_statistics, normality_tests
from npvae.study.plane import decode_plane, latent_plane
from npvae.study.posterior import Estimate, active_units, kl_per_dimension, mutual_information
from npvae.study.quality import SampleJudge, SampleQuality
from npvae.study.reconstruction import ReconstructionError, reconstruction_error
from npvae.study.sampling import SAMPLERS, WAYS, SamplerKind, draw_codes, draw_images
from npvae.study.traversal import Traversal, traverse
from npvae.study.two_sample import TwoSampleTest, classifier_two_sample_test

__all__ = [
    "CONTROLS",
    "SAMPLERS",
    "WAYS",
    "BallCounts",
    "Bracket",
    "ClassifierFeatures",
    "CodeMoments",
    "Control",
    "DrawnAgain",
    "Estimate",
    "Evaluation",
    "FittedGaussian",
    "FittedMixture",
    "JudgedModel",
    "LogLikelihood",
    "LogMarginalLikelihood",
    "Memorisation",
    "NeighbourBalls",
    "NormalityTests",
    "PosteriorFigures",
    "PrincipalFeatures",
    "ReconstructionError",
    "SampleJudge",
    "SampleQuality",
    "Sampler",
    "SamplerKind",
    "Samples",
    "StandardNormal",
    "TrainingImages",
    "Traversal",
    "TwoSampleTest",
    "active_units",
    "aggregate_posterior_kl",
    "classifier_two_sample_test",
    "code_moments",
    "coverage",
    "decode_plane",
    "decode_point",
    "density",
    "draw_codes",
    "draw_images",
    "evaluate",
    "frechet_distance",
    "independent_pixels",
    "interpolate",
    "interpolate_images",
    "judge_model",
    "judge_samples",
    "kl_per_dimension",
    "latent_plane",
    "log_marginal_likelihood",
    "memorisation",
    "mutual_information",
    "nearest_code",
    "nearest_images",
    "normality_statistics",
    "normality_tests",
    "precision",
    "principal_gaussian",
    "real_halves",
    "recall",
    "reconstruction_error",
    "traverse",
]
