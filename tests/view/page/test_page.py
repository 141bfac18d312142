"""The page as a reader meets it: what it shows, mouse, touch, keys, links, and that it keeps to itself."""

import re

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import chi2

from npvae.data import load_digits
from npvae.estimators import VAE, Autoencoder
from npvae.study.metrics.small_classifier import fit_small_classifier
from npvae.view.page.contents import rounded
from npvae.view.page.export import ExplorerFrame, write_explorer
from tests.view.accessibility import needs_axe, serious_violations
from tests.view.page.browsing import train, until

STEPS = [
    "draw",
    "codes",
    "point",
    "gaps",
    "prior-ae",
    "prior-vae",
    "posterior",
    "path",
    "log-variance",
    "train",
]
CHANGED = {
    "step": "path", "z": [1.25, -0.5], "seed": 7, "image": 12, "eps": [0.5, -1.125], "pin": True, "dim": 1,
    "direct": True, "logVar": -3.5, "rawVar": -0.75, "noise": False, "kl": False, "beta": 1.5,
}  # fmt: skip
INITIAL = (
    "Object.fromEntries(Object.entries(npvae.page.fields).map(([name, field]) => [name, field.initial]))"
)


@pytest.fixture(scope="module")
def page(open_page, explorer):
    return open_page(explorer)


@pytest.fixture(autouse=True)
def nothing_printed(request):
    """No test of the shared page leaves a message in the console."""
    yield
    if "page" in request.fixturenames:
        assert request.getfixturevalue("page").messages == []


def go(page, step, **state):
    """Show a step, and wait until it is drawn."""
    page.evaluate("([step, state]) => { npvae.page.goTo(step); npvae.page.set(state); }", [step, state])
    until(page, f"document.body.dataset.step === '{step}' && !npvae.page.frame")


def state(page, name):
    return page.evaluate("(name) => npvae.page.state[name]", name)


def place(page, kind, u, v):
    """Where the plane's point (u, v) is on the screen."""
    page.locator(f"#{kind} .plane").scroll_into_view_if_needed()
    box = page.locator(f"#{kind} .plane").bounding_box()
    x, y = page.evaluate(
        "([k, u, v]) => { const p = npvae.page.panels[k].plane; return [p.toX(u), p.toY(v)]; }", [kind, u, v]
    )
    return box["x"] + x, box["y"] + y


def numbers(text):
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text.replace("\u2212", "-"))]


def test_first_screen(page, models):
    """What is said of the draws is what NumPy and the classifier say of the same points."""
    digits = load_digits()
    classifier = fit_small_classifier(digits.X_train, digits.y_train, 10)
    go(page, "draw", seed=3)
    z = np.reshape(page.evaluate("Array.from(npvae.page.drawPoints)"), (-1, 2))
    shares, variety = [], []
    for kind, model in zip(("ae", "vae"), models, strict=True):
        h = np.maximum(model.network_.decode(rounded(model.params_), z) @ classifier.W1 + classifier.b1, 0)
        p = softmax(h @ classifier.W2 + classifier.b2, axis=1)
        sure = p.max(axis=1) > 0.95
        counts = np.bincount(p.argmax(axis=1)[sure], minlength=10)
        label = page.locator(f"#{kind} .bars").get_attribute("aria-label")
        shown = numbers(label.partition("clearly: ")[2])[1::2]
        assert np.abs(np.subtract(shown, counts)).max() <= 3  # its weights are rounded on the page
        found = page.locator(f"#{kind} .found").inner_text()
        recognised, most = numbers(found)[:2]
        assert recognised == pytest.approx(100 * sure.mean(), abs=2)
        assert most == pytest.approx(100 * np.sort(counts)[-2:].sum() / counts.sum(), abs=2)
        below = page.locator(f"#{kind} .below canvas").last.get_attribute("aria-label").partition(": ")[2]
        marks = [name.endswith("?") for name in below.split(", ")]
        assert np.sum(np.equal(marks, sure[:24])) <= 1
        q = np.array(shown)[np.array(shown) > 0] / sum(shown)
        shares.append(sum(shown) / len(z))
        variety.append(np.exp(-(q * np.log(q)).sum()))
    claim = page.locator("h1").inner_text()
    assert claim.startswith("Both networks redraw these digits. ")
    claims = [(shares[1] >= 2 * shares[0], "Only one can invent new ones.")]
    claims += [(variety[1] >= 1.5 * variety[0], "Only one invents a variety.")]
    if shares[1] < 0.1 or variety[1] < 5:
        claims = []
    radius = np.sqrt(chi2.ppf(0.99, 2))
    codes = [model.transform(digits.X_test) for model in models]
    ae, vae = (np.mean(np.linalg.norm(z, axis=1) <= radius) for z in codes)
    claims.append((vae >= 1.5 * ae, "Only one has its codes where N(0, I) draws."))
    assert claim.endswith(next((text for holds, text in claims if holds), "Which can invent new ones?"))
    assert page.locator("h1").bounding_box()["y"] < 30
    assert page.locator("#vae .bars").bounding_box()["y"] < 740  # at 1280 x 800


def test_the_canvases_are_drawn(page):
    for step in STEPS:
        go(page, step)
        blank = page.evaluate("""() => {
          const scratch = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
          const colours = (canvas) => {
            [scratch.canvas.width, scratch.canvas.height] = [canvas.width, canvas.height];
            scratch.drawImage(canvas, 0, 0);
            const pixels = scratch.getImageData(0, 0, canvas.width, canvas.height);
            return new Set(new Uint32Array(pixels.data.buffer)).size;
          };
          const canvases = [...document.querySelectorAll("canvas:not(#pad)")].filter((c) => c.offsetParent);
          return canvases.filter((c) => colours(c) < 3).map((c) => c.className + c.id);
        }""")
        assert blank == [], step


def test_the_planes_are_drawn_anew_where_a_step_changes_their_size(page):
    go(page, "draw")
    heights = set()
    for step in STEPS[1:]:
        page.click("[data-action=next]")
        until(page, f"document.body.dataset.step === '{step}' && !npvae.page.frame")
        drawn = page.evaluate("""Object.values(npvae.page.panels).map(({ plane }) => plane)
          .filter(({ canvas }) => canvas.offsetParent).map(({ canvas, ...plane }) =>
            [plane.width, plane.height, canvas.width, canvas.height, canvas.clientWidth, canvas.clientHeight])
        """)
        for *sizes, width, height in drawn:
            assert sizes == 2 * [width, height], step  # at one device pixel for a CSS pixel
            heights.add(height)
    assert len(heights) > 2


def test_indices_count_from_0_as_in_the_trace(page):
    go(page, "path", dim=1)
    assert page.locator("#path-dims button").all_inner_texts() == ["dim 0", "dim 1"]
    titles = page.locator("#graph h4").all_inner_texts()
    assert {"mu[1]", "log_var[1]", "std[1]", "eps[1]", "z[1]"} < set(titles)
    value = page.locator(".node", has=page.get_by_label("wiggle mu")).locator(".value span").inner_text()
    assert numbers(value) == [pytest.approx(page.evaluate("npvae.page.path.trace.mu.value[1]"), abs=6e-4)]
    go(page, "posterior")
    lines = page.locator("#vae .found.numbers div").all_inner_texts()
    assert [line.split(" ")[0] for line in lines] == ["z[0]", "z[1]"]
    go(page, "path", dim=0)


def test_gaps_of_a_vae_are_outside_its_noise(page, models):
    """An AE's distance is Euclidean; a VAE's is in standard deviations of each code's posterior."""
    go(page, "gaps", z=[-2.5, 2], seed=3)
    ae, vae = models
    X = load_digits().X_test
    mu, log_var = vae.network_.encode(rounded(vae.params_), X)
    codes = ae.network_.encode(rounded(ae.params_), X)
    draws = np.reshape(page.evaluate("Array.from(npvae.page.drawPoints)"), (-1, 2))
    between = np.linalg.norm(codes[:, None] - codes, axis=2) + np.diag(np.full(len(codes), np.inf))
    limits = np.sort(between.min(axis=1))[int(0.99 * (len(codes) - 1))], np.sqrt(chi2.ppf(0.99, 2))
    clouds = [("ae", codes, np.ones_like(codes)), ("vae", mu, np.exp(log_var / 2))]
    for limit, (kind, centres, std) in zip(limits, clouds, strict=True):
        here = np.linalg.norm((centres - [-2.5, 2]) / std, axis=1).min()
        words = page.locator(f"#{kind} .gap").inner_text()
        assert numbers(words) == pytest.approx([here, limit], abs=0.02)
        assert ("not a gap" in words) == (here <= limit)
        assert page.locator(f"#{kind} .pair").inner_text().endswith("outside 99 % of N(0, I)")
        inside = np.linalg.norm((centres[:, None] - draws) / std[:, None], axis=2) <= limit
        near, _, reached = numbers(page.locator(f"#{kind} .found").inner_text().replace("N(0, I)", ""))
        assert near == pytest.approx(100 * inside.any(axis=0).mean(), abs=1.1)
        assert reached == pytest.approx(100 * inside.any(axis=1).mean(), abs=1.1)


def test_the_first_step_has_no_point(page):
    go(page, "draw", z=[0.5, -0.5])
    assert page.locator(".cursor:visible").count() == 0
    page.mouse.click(*place(page, "vae", 1, 1))
    assert state(page, "z") == [0.5, -0.5]


def test_ten_dimensions_of_which_only_one_model_is_recognised(open_page, tmp_path):
    """An AE's draws are noise there: the classifier names a digit in each, but recognises almost none."""
    data = load_digits()
    settings = {"hidden": (400,), "likelihood": "bernoulli", "batch_size": 32, "max_epochs": 30}
    models = [train(cls, 10, data.X_train, **settings) for cls in (Autoencoder, VAE)]
    page = open_page(write_explorer(tmp_path / "ten.html", *models, data))
    ae, vae = (page.locator(f"#{kind} .found").inner_text() for kind in ("ae", "vae"))
    assert numbers(ae)[0] <= numbers(vae)[0] / 2
    assert page.locator("h1").inner_text().endswith("Only one can invent new ones.")
    page.context.close()


def test_draw_again(page):
    go(page, "draw", seed=1)
    before = page.locator("#vae .below canvas").last.get_attribute("aria-label")
    page.click("[data-action=draw-again]")
    until(page, "npvae.page.state.seed === 2 && !npvae.page.frame")
    assert page.locator("#vae .below canvas").last.get_attribute("aria-label") != before


def test_the_tour_goes_forward_and_back(page):
    go(page, "draw")
    seen = [page.locator("main h2:visible").inner_text()]
    for step in STEPS[1:]:
        page.click("[data-action=next]")
        until(page, f"document.body.dataset.step === '{step}'")
        assert page.evaluate("location.hash").startswith(f"#step={step}")
        seen.append(page.locator("main h2:visible").inner_text())
    assert len(set(seen)) == len(STEPS)
    assert page.locator("[data-action=next]").is_disabled()
    page.click("[data-action=back]")
    assert state(page, "step") == STEPS[-2]
    page.go_back()
    until(page, "npvae.page.state.step === 'train'")
    page.click("nav li:nth-child(4) a")
    assert state(page, "step") == "gaps"
    assert page.locator("[aria-current=step]").inner_text().split() == ["4", "Gaps"]


def test_a_link_shows_the_same_again(page, open_page, explorer):
    page.evaluate("(changes) => npvae.page.set(changes)", CHANGED)
    until(page, "!npvae.page.writing")
    again = open_page(explorer, page.evaluate("location.hash"))
    assert again.evaluate("npvae.page.state") == page.evaluate("npvae.page.state") == CHANGED
    again.context.close()
    page.evaluate(f"npvae.page.set({INITIAL})")


def test_a_damaged_link_shows_the_beginning(page):
    fragments = [
        "step=nowhere",
        "z=1",
        "z=a,b",
        "image=999999",
        "image=1.5",
        "seed=-3",
        "beta=",
        "eps=1e9,0",
        "%%%",
    ]
    for fragment in fragments:
        page.evaluate(
            "(text) => { history.replaceState(null, '', '#' + text); npvae.page.follow(); }", fragment
        )
        read, initial = page.evaluate(f"[npvae.page.state, {INITIAL}]")
        assert read == initial, fragment


def test_keys_move_the_point(page):
    go(page, "point", z=[0.5, -0.5])
    slider = page.get_by_label("z[1] in the plane of Autoencoder")
    slider.focus()
    page.keyboard.press("ArrowUp")
    until(page, "npvae.page.state.z[1] > -0.5 && !npvae.page.frame")
    x, y = state(page, "z")
    assert x == 0.5
    assert -0.5 < y < 0
    until(page, "document.getElementById('live').textContent.includes('z = (0.50, ')")
    assert re.search("AE: (looks like|unclear, perhaps) an? [0-9];", page.locator("#live").inner_text())
    assert float(page.get_by_label("z[1] in the plane of Variational").input_value()) == pytest.approx(
        y, abs=0.011
    )


def test_the_mouse_moves_the_point_in_both_planes(page, models):
    go(page, "gaps")
    page.mouse.move(*place(page, "vae", 0, 0))
    page.mouse.down()
    page.mouse.move(*place(page, "vae", 1, -1), steps=3)
    page.mouse.up()
    until(page, "!npvae.page.frame")
    z = state(page, "z")
    assert z == pytest.approx([1, -1], abs=0.03)
    for kind, model in zip(("ae", "vae"), models, strict=True):
        codes = model.transform(load_digits().X_test)
        distance = np.linalg.norm(codes - z, axis=1).min()
        shown = numbers(page.locator(f"#{kind} .pair > span").inner_text())
        assert shown[2] == pytest.approx(distance, abs=0.02)


def test_a_click_picks_the_nearest_image(page, models):
    go(page, "codes")
    u, v = models[1].transform(load_digits().X_test)[33]
    page.mouse.click(*place(page, "vae", float(u), float(v)))
    until(page, "npvae.page.state.image === 33 && !npvae.page.frame")
    assert page.locator("#image").input_value() == "33"
    page.fill("#image", "40")
    page.keyboard.press("Enter")
    until(page, "npvae.page.state.image === 40")


def test_a_digit_of_ones_own(page, models):
    go(page, "codes")
    pad = page.locator("#pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] - 20, steps=5)
    page.mouse.up()
    until(page, "npvae.page.own && !npvae.page.frame")
    image = np.array(page.evaluate("Array.from(npvae.page.own)"))
    assert image.reshape(8, 8)[2:6, 3:5].min() > 0.3
    assert image.reshape(8, 8)[:, [0, 1, 6, 7]].max() == 0
    code = models[1].network_.encode(rounded(models[1].params_), image[None])[0][0]
    shown = numbers(page.locator("#vae .pair .numbers").inner_text())
    assert shown == pytest.approx(code, abs=0.006)
    pad.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", " "):
        page.keyboard.press(key)
    assert page.evaluate("npvae.page.own[4 * 8 + 7]") > 0.5
    page.click("[data-action=clear-pad]")
    assert page.evaluate("npvae.page.own") is None


def test_wiggles_and_the_direct_draw(page):
    go(page, "path", image=3, direct=False)
    page.get_by_label("wiggle log_var").click()
    text = page.locator(".node", has=page.get_by_label("wiggle log_var")).locator(".wiggled").inner_text()
    numeric, backward, *_ = numbers(text)
    assert numeric == pytest.approx(backward, abs=1e-4)
    assert page.locator("#graph .cut").count() == 0
    page.check("#direct")
    page.wait_for_selector("#direct-note:visible")
    assert page.locator("#graph .cut").count() == 4
    gradients = page.locator(".node", has=page.get_by_label("wiggle mu")).locator("dd").all_inner_texts()
    assert numbers(gradients[0]) == [0]
    assert numbers(gradients[1]) != [0]
    page.uncheck("#direct")


def test_noise(page):
    go(page, "posterior", eps=[0, 0])
    page.click("[data-action=draw-eps]")
    until(page, "npvae.page.state.eps[0] !== 0 && !npvae.page.frame")
    for line in page.locator("#vae .found.numbers div").all_inner_texts():
        _, mu, std, eps, z = numbers(line)
        assert z == pytest.approx(mu + std * eps, abs=0.03)


def test_a_negative_variance_has_no_standard_deviation(page):
    go(page, "log-variance", rawVar=-0.5, logVar=-4)
    assert "not a number" in page.locator("#raw-var-std").inner_text()
    assert "A negative variance" in page.locator("#vae .below").inner_text()
    assert numbers(page.locator("#log-var-std").inner_text())[0] == pytest.approx(np.exp(-2), abs=1e-3)


def test_training_here(page):
    go(page, "train", noise=True, kl=True)
    first = numbers(page.locator("#progress").inner_text())
    assert page.locator("#net .found").inner_text() == "invented"  # nothing is read in noise
    page.click("[data-action=train]")
    until(page, "npvae.page.trainer.steps > 150")
    page.click("[data-action=train]")
    last = numbers(page.locator("#progress").inner_text().replace(",", ""))
    assert last[0] == page.evaluate("npvae.page.trainer.steps")
    assert page.evaluate("npvae.page.trainer.testLoss().reconstruction") < first[1] - 5
    assert page.locator("#corners tr[aria-current=true] td").nth(1).inner_text() != "\u2013"
    page.evaluate("() => { const t = npvae.page.trainer; while (t.steps < 1000) t.step(); t.show(); }")
    assert page.locator("#lesson").inner_text().startswith("A VAE: ")
    page.uncheck("#kl")
    until(page, "npvae.page.trainer.steps === 0 && !npvae.page.frame")
    assert page.locator("#beta").is_disabled()
    assert page.locator("#lesson").inner_text() == ""
    assert page.locator("#corners tr[aria-current=true]").inner_text().split()[:2] == ["on", "off"]
    page.check("#kl")


def test_it_makes_no_request(page, explorer):
    """All steps have been shown before this one."""
    for step in STEPS:
        go(page, step)
    assert page.requests == [f"file://{explorer}"]


def test_reduced_motion(open_page, explorer):
    page = open_page(explorer, "#step=train", reduced_motion="reduce")
    page.evaluate("""() => { window.drawn = 0; const t = npvae.page.trainer, show = t.showCodes.bind(t);
        t.showCodes = () => { window.drawn++; show(); }; t.toggle(); window.drawn = 0; }""")
    until(page, "npvae.page.trainer.frames > 15")
    assert page.evaluate("window.drawn < npvae.page.trainer.frames / 2")
    page.context.close()


def test_a_small_screen_with_touch(open_page, explorer):
    page = open_page(explorer, viewport={"width": 360, "height": 740}, has_touch=True, color_scheme="dark")
    for step in STEPS:
        go(page, step)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, step
        targets = "button, input:not([type=checkbox]), label.check, nav a"
        small = page.evaluate(f"""[...document.querySelectorAll("{targets}")]
          .filter((e) => e.offsetParent && e.getBoundingClientRect().height < 44).map((e) => e.outerHTML)""")
        assert small == [], step
    go(page, "draw")
    page.select_option("#jump", "4 Gaps")
    until(page, "document.body.dataset.step === 'gaps' && !npvae.page.frame")
    assert page.locator("#jump").input_value() == "4 Gaps"
    go(page, "point")
    page.touchscreen.tap(*place(page, "vae", 0.5, 0.5))
    until(page, "npvae.page.state.z[0] !== -2.5")
    assert state(page, "z") == pytest.approx([0.5, 0.5], abs=0.05)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 22, 26)"
    assert page.messages == []
    page.context.close()


def test_three_dimensions_without_labels(open_page, bars):
    page = open_page(bars, viewport={"width": 700, "height": 800})
    for step in STEPS:
        go(page, step)
    go(page, "point", z=[0, 0, 0])
    assert page.locator("#dimension-sliders input").count() == 3
    page.locator("#dimension-sliders input").nth(2).fill("1.5")
    until(page, "npvae.page.state.z[2] === 1.5 && !npvae.page.frame")
    u, v = page.evaluate("npvae.page.panels.vae.plane.project(npvae.page.state.z)")
    axes = np.array(page.evaluate("npvae.page.data.vae.axes"))
    np.testing.assert_allclose([u, v], axes @ [0, 0, 1.5], atol=1e-12)
    page.mouse.click(*place(page, "vae", 0.7, -0.2))
    until(page, "npvae.page.state.z[0] !== 0 && !npvae.page.frame")
    np.testing.assert_allclose(axes @ state(page, "z"), [0.7, -0.2], atol=0.05)
    assert page.locator("h1").inner_text().startswith("Both networks redraw these images.")
    assert page.messages == []
    page.context.close()


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(scheme, open_page, explorer):
    page = open_page(explorer, color_scheme=scheme, bypass_csp=True)
    for step in STEPS:
        go(page, step)
        assert serious_violations(page) == [], step
    page.context.close()


def test_in_the_frame_of_a_notebook(browser, explorer):
    frame_html = ExplorerFrame(explorer.read_text(encoding="utf-8"), height=700)._repr_html_()
    window = browser.new_page()
    messages = []
    window.on("console", lambda message: messages.append(message.text))
    window.on("pageerror", lambda error: messages.append(str(error)))
    window.set_content(frame_html)
    frame = window.frames[1]
    until(frame, "globalThis.npvae !== undefined")
    frame.get_by_role("button", name="Next \u203a").click()
    until(frame, f"document.body.dataset.step === '{STEPS[1]}'")
    assert window.locator("iframe").bounding_box()["height"] == 700
    assert messages == []
    window.close()
