"""Steps: never fewer than for the reference diameter, more for larger objects."""

import pytest

from cellspan.core.dynamics.steps import iterations_for

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(("diameter", "steps"), [(None, 200), (0.0, 200), (12.0, 200), (30.0, 200), (45.0, 300)])
def test_steps_for_a_diameter(diameter: float | None, steps: int) -> None:
    assert iterations_for(diameter) == steps
