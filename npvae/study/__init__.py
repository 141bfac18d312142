"""Studying a trained model: sampling from it, its latent space, and how good what comes out is."""

from npvae.study.features import PrincipalFeatures
from npvae.study.frechet import frechet_distance
from npvae.study.latent import (
    CodeMoments,
    code_moments,
    decode_plane,
    decode_point,
    interpolate,
    interpolate_images,
    latent_plane,
    nearest_code,
)
from npvae.study.neighbours import coverage, density
from npvae.study.quality import SampleQuality, sample_quality
from npvae.study.reconstruction import ReconstructionError, reconstruction_error
from npvae.study.sampling import (
    SAMPLERS,
    FittedGaussian,
    FittedMixture,
    Sampler,
    SamplerKind,
    StandardNormal,
    draw_codes,
    draw_images,
)

__all__ = [
    "SAMPLERS",
    "CodeMoments",
    "FittedGaussian",
    "FittedMixture",
    "PrincipalFeatures",
    "ReconstructionError",
    "SampleQuality",
    "Sampler",
    "SamplerKind",
    "StandardNormal",
    "code_moments",
    "coverage",
    "decode_plane",
    "decode_point",
    "density",
    "draw_codes",
    "draw_images",
    "frechet_distance",
    "interpolate",
    "interpolate_images",
    "latent_plane",
    "nearest_code",
    "reconstruction_error",
    "sample_quality",
]
