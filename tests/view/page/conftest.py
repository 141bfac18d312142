"""A page with small models, and windows of a browser."""

import numpy as np
import pytest

from npvae.data import Dataset, load_digits
from npvae.estimators import VAE, Autoencoder
from npvae.view.page.export import write_explorer
from tests.view.page.browsing import train, until


@pytest.fixture(scope="session")
def models():
    """An AE and a VAE, 64-400-2, trained for a few epochs on digits."""
    X, settings = load_digits().X_train, {"hidden": (400,), "likelihood": "bernoulli", "batch_size": 32}
    return tuple(train(cls, 2, X, max_epochs=12, **settings) for cls in (Autoencoder, VAE))


@pytest.fixture(scope="session")
def explorer(models, tmp_path_factory):
    """The file of digits."""
    return write_explorer(tmp_path_factory.mktemp("explorer") / "explorer.html", *models, load_digits())


@pytest.fixture(scope="session")
def bars(tmp_path_factory):
    """The file of images of 6 x 5 pixels without labels, with models of three latent dimensions."""
    X = np.random.default_rng(0).random((160, 30), dtype=np.float32)
    data = Dataset("bars", X[:100], None, X[100:], None, (6, 5))
    models = [
        train(cls, 3, X[:100], hidden=(12,), activation="tanh", max_epochs=2) for cls in (Autoencoder, VAE)
    ]
    return write_explorer(tmp_path_factory.mktemp("bars") / "bars.html", *models, data)


@pytest.fixture(scope="session")
def open_page(browser):
    """Open a file in a window of its own; what it requests and what it prints is kept in lists."""

    def open_page(path, fragment="", **options):
        context = browser.new_context(offline=True, **{"viewport": {"width": 1280, "height": 800}, **options})
        page = context.new_page()
        page.requests, page.messages = [], []
        page.on("request", lambda request: page.requests.append(request.url))
        page.on("console", lambda message: page.messages.append(message.text))
        page.on("pageerror", lambda error: page.messages.append(str(error)))
        page.goto(f"file://{path}{fragment}")
        until(page, "globalThis.npvae !== undefined")
        return page

    return open_page
