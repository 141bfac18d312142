"""Study trained models: compare and evaluate them, sample from them, and explore their latent space."""

from npvae.study.code_recorder import CodeRecorder
from npvae.study.comparison import Comparison, compare
from npvae.study.evaluation import Evaluation, LogLikelihood, PosteriorFigures, evaluate
from npvae.study.experiment.controls import (
    CONTROLS,
    Control,
    independent_pixels,
    principal_gaussian,
    real_halves,
)
from npvae.study.experiment.judging import JudgedModel, JudgedSamples, judge_model, judge_samples
from npvae.study.metrics.classifier import ClassifierFeatures
from npvae.study.metrics.features import PrincipalFeatures
from npvae.study.metrics.frechet import frechet_distance
from npvae.study.metrics.memorisation import Memorisation, TrainingImages
from npvae.study.metrics.neighbours import (
    BallCounts,
    NeighbourBalls,
    NeighbourMetrics,
    nearest_images,
    neighbour_metrics,
)
from npvae.study.metrics.normality import NormalityTests, normality_statistics, normality_tests
from npvae.study.metrics.quality import SampleJudge, SampleQuality
from npvae.study.metrics.two_sample import TwoSampleTest, classifier_two_sample_test
from npvae.study.posterior.aggregate import Bracket, aggregate_posterior_kl
from npvae.study.posterior.information import Estimate, active_units, kl_per_dimension, mutual_information
from npvae.study.posterior.log_marginal import LogMarginalLikelihood, log_marginal_likelihood
from npvae.study.posterior.moments import CodeMoments, code_moments
from npvae.study.posterior.reconstruction import ReconstructionError, reconstruction_error
from npvae.study.sampling.densities import (
    FittedGaussian,
    FittedMixture,
    ResampledCodes,
    Sampler,
    StandardNormal,
)
from npvae.study.sampling.samplers import SAMPLERS, WAYS, SamplerKind, draw_codes
from npvae.study.trace import trace_image
from npvae.study.trace_record import Trace
from npvae.study.walks.interpolation import interpolate, interpolate_images
from npvae.study.walks.latent_point import decode_point, nearest_code
from npvae.study.walks.plane import decode_plane, latent_plane
from npvae.study.walks.traversal import Traversal, traverse

__all__ = [
    "CONTROLS",
    "SAMPLERS",
    "WAYS",
    "BallCounts",
    "Bracket",
    "ClassifierFeatures",
    "CodeMoments",
    "CodeRecorder",
    "Comparison",
    "Control",
    "Estimate",
    "Evaluation",
    "FittedGaussian",
    "FittedMixture",
    "JudgedModel",
    "JudgedSamples",
    "LogLikelihood",
    "LogMarginalLikelihood",
    "Memorisation",
    "NeighbourBalls",
    "NeighbourMetrics",
    "NormalityTests",
    "PosteriorFigures",
    "PrincipalFeatures",
    "ReconstructionError",
    "ResampledCodes",
    "SampleJudge",
    "SampleQuality",
    "Sampler",
    "SamplerKind",
    "StandardNormal",
    "Trace",
    "TrainingImages",
    "Traversal",
    "TwoSampleTest",
    "active_units",
    "aggregate_posterior_kl",
    "classifier_two_sample_test",
    "code_moments",
    "compare",
    "decode_plane",
    "decode_point",
    "draw_codes",
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
    "mutual_information",
    "nearest_code",
    "nearest_images",
    "neighbour_metrics",
    "normality_statistics",
    "normality_tests",
    "principal_gaussian",
    "real_halves",
    "reconstruction_error",
    "trace_image",
    "traverse",
]
