"""The pytest fixture ``gradcheck``: it imports nothing but pytest until a test uses it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from npvae.gradcheck import Report


class GradientAssertions:
    """Gradient checks that raise an AssertionError with the printed report, or return the report.

    A call of the object itself is one of `vjp`.
    """

    def __call__(self, *args: Any, **options: Any) -> Report:
        """Assert what `npvae.gradcheck.check_vjp` checks."""
        return self.vjp(*args, **options)

    def vjp(self, *args: Any, **options: Any) -> Report:
        """Assert what `npvae.gradcheck.check_vjp` checks."""
        return _assert("check_vjp", *args, **options)

    def layer(self, *args: Any, **options: Any) -> Report:
        """Assert what `npvae.gradcheck.check_layer` checks."""
        return _assert("check_layer", *args, **options)

    def gradient(self, *args: Any, **options: Any) -> Report:
        """Assert what `npvae.gradcheck.check_gradient` checks."""
        return _assert("check_gradient", *args, **options)

    def hvp(self, *args: Any, **options: Any) -> Report:
        """Assert what `npvae.gradcheck.check_hvp` checks."""
        return _assert("check_hvp", *args, **options)

    def network(self, *args: Any, **options: Any) -> Report:
        """Assert what `npvae.gradcheck.check_network` checks."""
        return _assert("check_network", *args, **options)


def _assert(check: str, *args: Any, **options: Any) -> Report:
    import npvae.gradcheck
    from npvae.gradcheck.checks import assert_passed

    function: Callable[..., Report] = getattr(npvae.gradcheck, check)
    return assert_passed(function(*args, **options))


@pytest.fixture(scope="session")
def gradcheck() -> GradientAssertions:
    """Check handwritten gradients: ``gradcheck.vjp``, ``.layer``, ``.gradient``, ``.hvp``, ``.network``.

    Each takes what the function ``check_...`` of the same name in `npvae.gradcheck` takes, raises an
    AssertionError with the printed report unless the check passes, and returns the report.
    """
    return GradientAssertions()
