"""What the tests of the page have in common."""

import time


def until(page, condition, seconds=20):
    """Wait for a condition in JavaScript; Playwright's own way to wait is forbidden by the page's policy."""
    end = time.monotonic() + seconds
    while not page.evaluate(condition):
        assert time.monotonic() < end, f"not within {seconds} s: {condition}"
        time.sleep(0.02)


def train(cls, latent_dim, X, **settings):
    """A model that is trained for a given number of epochs, the same each time."""
    return cls(latent_dim, **settings, tol=None, n_threads=1, random_state=0).fit(X)
