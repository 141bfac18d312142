"""What axe-core says of a page in a browser."""

import os
from pathlib import Path

import pytest

AXE = os.environ.get("NPVAE_AXE")  # the file axe.min.js of the npm package axe-core

needs_axe = pytest.mark.skipif(not AXE, reason="NPVAE_AXE does not name axe-core's axe.min.js")


def serious_violations(page):
    """Return rules and elements; the page must have been opened with bypass_csp."""
    assert AXE is not None, "mark the test with needs_axe"
    page.add_script_tag(content=Path(AXE).read_text(encoding="utf-8"))
    return [
        (violation["id"], [node["html"][:120] for node in violation["nodes"]])
        for violation in page.evaluate("axe.run()")["violations"]
        if violation["impact"] in ("serious", "critical")
    ]
