"""Tables of volumes: centres, calibrated sizes, and surfaces against those that are known exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cellspan.core.results.volume_table import plain_unit, surface, volume_table
from cellspan.core.training.simulate.volumes import simulated_volume

pytestmark = pytest.mark.quick

Axes = tuple[float, float, float]


def ellipsoid(axes: Axes, anisotropy: float, seed: int) -> np.ndarray:
    """Somewhere between the voxels, pointing anywhere: True inside, slices `anisotropy` pixels apart."""
    rng = np.random.default_rng(seed)
    reach = max(axes) + anisotropy + 2
    z, y, x = (np.arange(-reach, reach, step) + rng.uniform(0, step) for step in (anisotropy, 1.0, 1.0))
    points = np.stack(np.meshgrid(z, y, x, indexing="ij"), axis=-1)
    turned = points @ Rotation.from_quat(rng.normal(size=4)).as_matrix()
    return ((turned / axes) ** 2).sum(axis=-1) < 1


def exact_surface(axes: Axes) -> float:
    """Of an ellipsoid, as the sum over the two angles."""
    a, b, c = axes
    n = 400
    polar, around = np.meshgrid((np.arange(n) + 0.5) * np.pi / n, (np.arange(n) + 0.5) * 2 * np.pi / n, indexing="ij")
    sides = (b * c * np.sin(polar) * np.cos(around)) ** 2 + (a * c * np.sin(polar) * np.sin(around)) ** 2
    patches = np.sin(polar) * np.sqrt(sides + (a * b * np.cos(polar)) ** 2)
    return float(patches.sum() * np.pi / n * 2 * np.pi / n)


def exact_sphericity(axes: Axes) -> float:
    return float(np.cbrt(np.pi) * (8 * np.pi * np.prod(axes)) ** (2 / 3) / exact_surface(axes))


@pytest.mark.parametrize("anisotropy", [1.0, 2.0, 3.0, 4.0, 5.0])
@pytest.mark.parametrize("radius", [6.0, 9.0, 12.0, 20.0])
def test_balls_are_round_at_any_anisotropy(radius: float, anisotropy: float) -> None:
    for seed in range(4):
        ball = ellipsoid((radius, radius, radius), anisotropy, seed).astype(np.int32)
        table = volume_table(ball, (anisotropy, 1.0, 1.0), "")
        assert 0.97 < table["sphericity"][0] < 1.03


@pytest.mark.parametrize("anisotropy", [1.0, 3.0, 5.0])
@pytest.mark.parametrize("axes", [(18.0, 10.0, 9.0), (20.0, 16.0, 9.0), (14.0, 12.0, 11.0)])
def test_surfaces_of_ellipsoids_are_as_known(axes: Axes, anisotropy: float) -> None:
    for seed in range(4):
        table = volume_table(ellipsoid(axes, anisotropy, seed).astype(np.int32), (anisotropy, 1.0, 1.0), "")
        assert table["surface_pixels2"][0] == pytest.approx(exact_surface(axes), rel=0.05)
        assert table["sphericity"][0] == pytest.approx(exact_sphericity(axes), rel=0.04)


def test_sizes_are_in_the_unit_of_the_spacing() -> None:
    ball = ellipsoid((12.0, 12.0, 12.0), 3.0, 0).astype(np.int32)
    table = volume_table(ball, (0.9, 0.3, 0.3), "µm")
    assert list(table) == [
        *("label", "z", "y", "x", "volume", "volume_um3", "surface_um2", "diameter_um", "sphericity"),
    ]
    assert table["volume"][0] == ball.sum()
    assert table["volume_um3"][0] == pytest.approx(ball.sum() * 0.9 * 0.3 * 0.3, rel=1e-5)
    assert table["diameter_um"][0] == pytest.approx(24 * 0.3, rel=0.03)
    assert table["surface_um2"][0] == pytest.approx(4 * np.pi * (12 * 0.3) ** 2, rel=0.04)
    in_pixels = volume_table(ball, (0.9, 0.3, 0.3), "")
    assert in_pixels["volume_pixels3"][0] == 3 * ball.sum()
    assert in_pixels["sphericity"][0] == pytest.approx(table["sphericity"][0], abs=1e-3)
    assert volume_table(ball)["volume_pixels3"][0] == ball.sum()


def test_centres_and_means() -> None:
    labels = np.zeros((6, 20, 30), np.int32)
    labels[1:4, 2:8, 4:14] = 1
    labels[2:6, 10:20, 20:30] = 3
    intensity = np.broadcast_to(np.arange(6)[:, None, None], labels.shape).astype(np.uint16)
    table = volume_table(labels, None, "", intensity, -intensity.astype(np.float32))
    np.testing.assert_array_equal(table["label"], [1, 2, 3])
    np.testing.assert_array_equal(table["volume"], [180, 0, 400])
    np.testing.assert_array_equal(table["z"], [2, np.nan, 3.5])
    np.testing.assert_array_equal(table["y"], [4.5, np.nan, 14.5])
    np.testing.assert_array_equal(table["x"], [8.5, np.nan, 24.5])
    np.testing.assert_array_equal(table["mean_intensity"], [2, np.nan, 3.5])
    np.testing.assert_array_equal(table["mean_probability"], [-2, np.nan, -3.5])
    assert np.isnan(table["sphericity"][1])


def test_single_voxels_and_whole_volumes_have_a_surface() -> None:
    one = np.zeros((3, 4, 5), np.int32)
    one[1, 2, 3] = 1
    assert np.cbrt(36 * np.pi) < volume_table(one)["surface_pixels2"][0] < 6  # between a ball and a cube
    full = volume_table(np.ones((10, 20, 20), np.int32))["surface_pixels2"][0]
    assert full == pytest.approx(2 * (10 * 20 * 2 + 20 * 20), rel=0.1)
    assert {name: len(values) for name, values in volume_table(np.zeros((2, 3, 4), np.int32)).items()}["x"] == 0


def test_large_objects_are_measured_at_every_nth_voxel(monkeypatch: pytest.MonkeyPatch) -> None:
    ball = ellipsoid((24.0, 24.0, 24.0), 1.0, 1).astype(np.int32)
    whole = volume_table(ball)["sphericity"][0]
    monkeypatch.setattr("cellspan.core.results.volume_table.LARGEST_BOX", 20_000)
    assert volume_table(ball)["sphericity"][0] == pytest.approx(whole, rel=0.03)


def test_a_volume_on_disk_gives_the_same_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image, labels = simulated_volume(1, (12, 80, 90), 3.0, 20)
    wanted = volume_table(labels, (3.0, 1.0, 1.0), "", image)
    monkeypatch.setattr("cellspan.core.objects.slabs.VOXELS", 5 * 80 * 90)
    np.save(tmp_path / "l.npy", labels.astype(np.uint16))
    found = volume_table(np.load(tmp_path / "l.npy", mmap_mode="r"), (3.0, 1.0, 1.0), "", image)
    for name, values in wanted.items():
        np.testing.assert_array_equal(found[name], values)


def test_units_are_spelt_plainly() -> None:
    assert [plain_unit(unit) for unit in ("µm", "μm", "nm", "", "inch")] == ["um", "um", "nm", "pixels", "inch"]


def test_a_surface_needs_no_empty_border() -> None:
    mask = ellipsoid((9.0, 9.0, 9.0), 1.0, 2)
    z, y, x = (slice(axis.min(), axis.max() + 1) for axis in np.nonzero(mask))
    assert surface(mask[z, y, x], np.ones(3)) == pytest.approx(surface(mask, np.ones(3)))
