"""All derivations by name: one for each pair that `npvae.checks.pairs` checks."""

from collections.abc import Callable
from functools import partial

from npvae.course import derive_gaussian, derive_layers, derive_likelihoods
from npvae.course.derive import Derivation

ACTIVATIONS = tuple(derive_layers.FORMULAS)

_BY_TOPIC: dict[str, dict[str, Callable[[], Derivation]]] = {
    "Layers": {
        "dense": derive_layers.dense,
        **{name: partial(derive_layers.activation, name) for name in ACTIVATIONS},
        **{f"mlp, {name}": partial(derive_layers.chain, name) for name in ACTIVATIONS},
    },
    "The posterior q(z | x)": {"reparameterize": derive_gaussian.reparameterize, "kl": derive_gaussian.kl},
    "Likelihoods p(x | z)": {
        "bernoulli": derive_likelihoods.bernoulli,
        "gaussian": derive_likelihoods.gaussian,
    },
    "Other objectives": {
        "free_bits": derive_gaussian.free_bits,
        "log_ratio": derive_gaussian.log_ratio,
        "importance_bound": derive_gaussian.importance_bound,
    },
}
_BY_NAME = {name: make for makers in _BY_TOPIC.values() for name, make in makers.items()}

#: Names by topic, each topic after those that it needs.
TOPICS = {topic: tuple(makers) for topic, makers in _BY_TOPIC.items()}
NAMES = tuple(_BY_NAME)


def derive(name: str) -> Derivation:
    """Return the derivation of a pair.

    Parameters
    ----------
    name : str
        One of `NAMES`: those of `npvae.checks.pairs.pair_cases`.

    Raises
    ------
    ValueError
        There is no such pair.
    """
    if name not in _BY_NAME:
        raise ValueError(f"there is no pair called {name!r}; choose from: {'; '.join(NAMES)}")
    return _BY_NAME[name]()
