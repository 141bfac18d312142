import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from npvae.view import describe_spread, draw_latent_codes, draw_latent_comparison
from npvae.view.draw.latent import picture_axes
from npvae.view.draw.style import CLASS_COLOURS


@pytest.fixture
def labels(rng):
    return rng.permutation(np.arange(60) % 10)


def circles(ax):
    return [patch for patch in ax.patches if isinstance(patch, Circle)]


def test_codes_and_samples_are_drawn_where_they_are(rng, labels):
    codes, samples = rng.normal(5, 4, (60, 2)), rng.standard_normal((7, 2))
    points, crosses = draw_latent_codes(codes, labels, samples).collections
    np.testing.assert_array_equal(points.get_offsets(), codes)
    np.testing.assert_array_equal(crosses.get_offsets(), samples)


def test_colours_follow_the_classes_and_names_stand_in_the_classes_colour(rng, labels):
    ax = draw_latent_codes(rng.standard_normal((60, 2)), labels)
    colours = [to_hex(colour) for colour in ax.collections[0].get_facecolor()]
    assert colours == [CLASS_COLOURS[label] for label in labels]
    names = {text.get_text(): to_hex(text.get_bbox_patch().get_facecolor()) for text in ax.texts}
    assert names == {str(k): CLASS_COLOURS[k] for k in range(10)}


def test_names_stand_at_the_medians_of_their_classes():
    corners = np.array([[-9.0, -9.0], [9.0, -9.0], [0.0, 9.0]])
    codes = np.repeat(corners, 3, axis=0) + np.tile([[0.0], [0.1], [-0.1]], (3, 1))
    ax = draw_latent_codes(codes, np.repeat(["a", "b", "c"], 3))
    assert [text.get_text() for text in ax.texts] == ["a", "b", "c"]
    np.testing.assert_allclose([text.get_position() for text in ax.texts], corners, atol=1e-9)


def test_names_do_not_overlap_where_all_classes_share_a_place(rng, labels):
    ax = draw_latent_codes(rng.standard_normal((60, 2)) / 100, labels)
    ax.figure.draw_without_rendering()
    boxes = [text.get_bbox_patch().get_window_extent() for text in ax.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


@pytest.mark.parametrize("labels", [None, np.arange(60)])
def test_without_classes_there_are_no_names(rng, labels):
    ax = draw_latent_codes(rng.standard_normal((60, 2)), labels)
    assert not ax.texts
    assert len(np.unique(ax.collections[0].get_facecolor(), axis=0)) == 1


@pytest.mark.parametrize("width", [2, 5])
def test_contours_are_at_one_two_and_three_standard_deviations(rng, width):
    ax = draw_latent_codes(rng.normal(9, 5, (50, width)))
    assert [(circle.center, circle.radius) for circle in circles(ax)] == [((0, 0), r) for r in (1, 2, 3)]


@pytest.mark.parametrize(("centre", "spread"), [(0, 0.1), (0, 1), (-20, 6)])
def test_everything_is_in_view_at_equal_scale(rng, centre, spread):
    codes, samples = rng.normal(centre, spread, (50, 2)), 4 * rng.standard_normal((9, 2))
    ax = draw_latent_codes(codes, None, samples)
    shown = np.concatenate([codes, samples, [[-3, -3], [3, 3]]])
    for limits, values in zip([ax.get_xlim(), ax.get_ylim()], shown.T, strict=True):
        assert limits[0] < values.min()
        assert limits[1] > values.max()
    assert ax.get_aspect() == 1
    assert np.ptp(ax.get_xlim()) == pytest.approx(np.ptp(ax.get_ylim()))


def test_more_dimensions_show_the_two_widest_directions(rng):
    rotation = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    wide = rng.standard_normal((500, 4)) * [1, 7, 0.1, 3] + [0, 2, 0, 0]
    ax = draw_latent_codes(wide @ rotation, None, np.eye(4))
    drawn = np.asarray(ax.collections[0].get_offsets())
    np.testing.assert_allclose(np.abs(np.corrcoef(drawn.T, wide.T[[1, 3]])[:2, 2:]), np.eye(2), atol=0.2)
    assert abs(drawn[:, 0].mean()) > 1  # about the origin, not about the codes' mean
    axes = picture_axes(wide @ rotation)
    np.testing.assert_allclose(axes.T @ axes, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(ax.collections[1].get_offsets(), axes)
    assert "of 4" in ax.get_xlabel()
    assert "principal component 2" in ax.get_ylabel()


def test_projection_does_not_depend_on_an_eigenvectors_sign(rng):
    codes = rng.standard_normal((100, 6)) * np.arange(1, 7)
    np.testing.assert_allclose(picture_axes(codes), picture_axes(-codes))


def test_one_dimension_is_a_histogram_of_all_codes(rng):
    codes = rng.standard_normal((200, 1))
    ax = draw_latent_codes(codes, np.arange(200) % 3, rng.standard_normal((5, 1)))
    areas = [bar.get_width() * bar.get_height() for bar in ax.patches]
    assert sum(areas) == pytest.approx(1)
    z, density = ax.lines[0].get_data()
    assert np.trapezoid(density, z) == pytest.approx(1, abs=1e-3)
    assert density.max() == pytest.approx((2 * np.pi) ** -0.5)


def test_comparison_gives_every_model_its_own_scale(rng, labels):
    codes = {"AE": rng.normal(3, 9, (60, 2)), "VAE": rng.standard_normal((60, 2))}
    samples = rng.standard_normal((20, 2))
    panels = draw_latent_comparison(codes, labels, samples)
    assert [ax.get_title() for ax in panels] == ["AE", "VAE"]
    for ax, drawn in zip(panels, codes.values(), strict=True):
        np.testing.assert_array_equal(ax.collections[0].get_offsets(), drawn)
        np.testing.assert_array_equal(ax.collections[1].get_offsets(), samples)
        assert [circle.radius for circle in circles(ax)] == [1, 2, 3]
        assert describe_spread(drawn) in [text.get_text() for text in ax.texts]
    spans = [np.ptp(ax.get_xlim()) for ax in panels]
    assert spans[0] > 3 * spans[1]


def test_spread_counts_codes_within_three_standard_deviations(rng):
    codes = rng.standard_normal((40_000, 2))
    assert describe_spread(codes).startswith("99 % of the codes")
    assert describe_spread(codes + 50).startswith("0 % of the codes")
    assert describe_spread(np.array([[-2.0], [2.0], [4.0], [-4.0]])).startswith("50 % of the codes")


def test_legend_explains_crosses_only_where_there_are_some(rng):
    codes, samples = rng.standard_normal((9, 2)), rng.standard_normal((3, 2))
    for given, expected in [(None, 1), (samples, 2)]:
        (legend,) = draw_latent_codes(codes, None, given).figure.legends
        assert len(legend.get_texts()) == expected


@pytest.mark.parametrize(
    ("codes", "labels", "samples", "message"),
    [
        ((5,), None, None, "codes must be"),
        ((0, 2), None, None, "codes must be"),
        ((5, 2), (4,), None, "5 codes, but labels"),
        ((5, 2), None, (3, 3), "samples must be"),
    ],
)
def test_contradicting_shapes_are_refused(codes, labels, samples, message):
    labels = None if labels is None else np.zeros(labels)
    samples = None if samples is None else np.zeros(samples)
    figure = Figure()
    with pytest.raises(ValueError, match=message):
        draw_latent_codes(np.zeros(codes), labels, samples, ax=figure.add_subplot())
