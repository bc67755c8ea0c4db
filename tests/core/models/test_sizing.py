"""The size model recovers a diameter that the style tells."""

import numpy as np
import pytest

from cellspan.core.models.sizing import diameter_from_style, fit_size_model

pytestmark = pytest.mark.quick


def test_a_linear_law_is_found() -> None:
    rng = np.random.default_rng(0)
    styles = rng.normal(size=(300, 8)).astype(np.float32)
    diameters = np.exp(3 + styles @ np.linspace(-0.3, 0.3, 8))
    model = fit_size_model(styles, diameters)
    predicted = [diameter_from_style(style, model) for style in styles]
    assert np.median(np.abs(predicted / diameters - 1)) < 0.02


def test_predictions_stay_within_what_was_seen() -> None:
    rng = np.random.default_rng(0)
    styles = rng.normal(size=(50, 4)).astype(np.float32)
    model = fit_size_model(styles, np.exp(rng.uniform(2, 4, 50)))
    assert model.smallest <= diameter_from_style(1000 * styles[0], model) <= model.largest
