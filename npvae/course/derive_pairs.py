"""All derivations by name: one for each pair that `npvae.checks.pairs` checks."""

from collections.abc import Callable
from functools import partial

from npvae.course import derive_gaussian, derive_layers, derive_likelihoods
from npvae.course.derive import Derivation

_BY_NAME: dict[str, Callable[[], Derivation]] = {
    "dense": derive_layers.dense,
    "reparameterize": derive_gaussian.reparameterize,
    "kl": derive_gaussian.kl,
    "free_bits": derive_gaussian.free_bits,
    "importance_bound": derive_gaussian.importance_bound,
    "log_ratio": derive_gaussian.log_ratio,
    "bernoulli": derive_likelihoods.bernoulli,
    "gaussian": derive_likelihoods.gaussian,
}
for _name in derive_layers.FORMULAS:
    _BY_NAME[_name] = partial(derive_layers.activation, _name)
    _BY_NAME[f"mlp, {_name}"] = partial(derive_layers.chain, _name)

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
