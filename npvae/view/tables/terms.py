"""What the terms in the tables of a comparison mean, in a line each."""

#: By the label of a row of the table of latent spaces.
LATENT_TERMS = {
    "z: distance of its mean from 0": "How far the middle of all codes is from where N(0, I) has its own.",
    "z: smallest standard deviation": "Spread of the codes in the latent dimension in which they spread "
    "least.",
    "z: largest standard deviation": "Spread of the codes in the latent dimension in which they spread most.",
    "covariance: smallest eigenvalue": "Variance of the codes in the direction in which they spread least.",
    "covariance: largest eigenvalue": "Variance of the codes in the direction in which they spread most.",
    "classifier accuracy, z vs N(0, I)": "How often a classifier tells a code from a draw of N(0, I): 0.5 if "
    "it cannot, 1 if they do not overlap.",
    "energy test against N(0, I): p": "Probability that draws from N(0, I) differ from it as much as the "
    "codes "
    "do, by their distances.",
    "MMD test against N(0, I): p": "The same for another measure, the maximum mean discrepancy.",
    "reconstruction: squared error": "Squared difference between an image and its reconstruction, summed "
    "over "
    "pixels; lower is better.",
    "-ln p(x | code), nats": "The reconstruction term of the loss, with z at the code; lower is better.",
    "KL(q(z | x) || N(0, I)), nats": "What the code of one image says about it: how far its distribution is "
    "from N(0, I).",
    "KL(q(z) || N(0, I)), lower bound": "How far the codes of all images together are from N(0, I), at "
    "least.",
    "KL(q(z) || N(0, I)), upper bound": "The same, at most.",
    "I(x; z), nats": "Mutual information: how well z identifies the image that it was encoded from.",
    "active units": "Latent dimensions whose mean changes with the image.",
    "negative ELBO, nats": "The VAE's loss at beta = 1: reconstruction term plus KL; lower is better.",
    "negative ELBO (subset), nats": "The same, with one draw of z, for the images of the next row.",
    "-ln p(x) (subset), nats": "Negative log-likelihood, by importance sampling; at most the negative ELBO.",
}

#: By the header of a column of the table of samples: its name and meaning.
SAMPLE_TERMS = {
    "Frechet\ndistance": (
        "Fréchet distance",
        "Between Gaussians fitted to features of samples and of real images; lower is better.",
    ),
    "pixel\ncoverage": (
        "pixel coverage",
        "Share of real images with a sample nearby, in pixels: variety; higher is better.",
    ),
    "feature\npreci-\nsion": (
        "feature precision",
        "Share of samples near a real image, in features: realism; higher is better.",
    ),
    "feature\nrecall": (
        "feature recall",
        "Share of real images near a sample, in features: variety; higher is better.",
    ),
    "two-\nsample": (
        "two-sample",
        "How often a classifier tells samples from real images: 0.5 is best, 1 worst.",
    ),
    "near\ncopies": (
        "near copies",
        "Share of samples closer to a training image than 99 % of test images are; 0.01 by chance.",
    ),
    "confi-\ndent": (
        "confident",
        "Share of samples that a classifier assigns to a class with more than 95 % confidence.",
    ),
    "class\nimbal-\nance": (
        "class imbalance",
        "Share of samples that would have to change class for the classes to be as frequent as in the data.",
    ),
}

#: By a part of the label of a row of the table of samples.
ROW_TERMS = {
    "z ~ N(0, I)": "z is drawn from the prior: what a VAE is trained for.",
    "diagonal Gaussian": "z is drawn from a Gaussian with the codes' means and variances.",
    "full Gaussian": "z is drawn from a Gaussian with the codes' covariances, too.",
    "mixture of 10": "z is drawn from a mixture of ten Gaussians fitted to the codes.",
    "aggregate posterior": "z is drawn from the posterior of a training image.",
    "reconstructions": "z is the code of a training image: nothing new, but as good as the decoder gets.",
    "half of the test images": "Real images in place of samples: as good as it gets.",
    "training images": "Copies of training images: what copying looks like.",
    "Gaussian in PCA's space": "A Gaussian fitted to the images themselves, in 50 principal components.",
    "independent pixels": "Each pixel drawn by itself: no structure at all.",
}
