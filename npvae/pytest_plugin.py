"""The pytest fixture ``gradcheck``. This module imports only pytest until a test uses the fixture."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from npvae.gradcheck import Report


class GradientAssertions:
    """Gradient checks that return the report, or raise an AssertionError with it if the check does not pass.

    Calling the object itself calls `vjp`.
    """

    def __call__(self, *args: Any, **options: Any) -> Report:
        """Assert that `npvae.gradcheck.check_vjp` passes."""
        return self.vjp(*args, **options)

    def vjp(self, *args: Any, **options: Any) -> Report:
        """Assert that `npvae.gradcheck.check_vjp` passes."""
        return _assert("check_vjp", *args, **options)

    def layer(self, *args: Any, **options: Any) -> Report:
        """Assert that `npvae.gradcheck.check_layer` passes."""
        return _assert("check_layer", *args, **options)

    def gradient(self, *args: Any, **options: Any) -> Report:
        """Assert that `npvae.gradcheck.check_gradient` passes."""
        return _assert("check_gradient", *args, **options)

    def hvp(self, *args: Any, **options: Any) -> Report:
        """Assert that `npvae.gradcheck.check_hvp` passes."""
        return _assert("check_hvp", *args, **options)

    def network(self, *args: Any, **options: Any) -> Report:
        """Assert that `npvae.gradcheck.check_network` passes."""
        return _assert("check_network", *args, **options)


def _assert(check: str, *args: Any, **options: Any) -> Report:
    import npvae.gradcheck
    from npvae.gradcheck.checks import assert_passed

    function: Callable[..., Report] = getattr(npvae.gradcheck, check)
    return assert_passed(function(*args, **options))


@pytest.fixture(scope="session")
def gradcheck() -> GradientAssertions:
    """Check handwritten gradients: ``gradcheck.vjp``, ``.layer``, ``.gradient``, ``.hvp``, ``.network``.

    Each takes the arguments of the function ``check_...`` of the same name in `npvae.gradcheck` and returns
    its report, or raises an AssertionError with the printed report if the check does not pass.
    """
    return GradientAssertions()
