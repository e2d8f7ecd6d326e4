"""Fit SasView's test data of spheres with SasView's own model, and print the radius; what the recipe does by hand."""

from pathlib import Path

import numpy
from sasdata.dataloader.loader import Loader
from sasmodels.core import load_model
from sasmodels.data import empty_data1D
from sasmodels.direct_model import DirectModel
from scipy.optimize import minimize_scalar

(data,) = Loader().load(str(Path(__file__).with_name("sphere_80.txt")))
model = DirectModel(empty_data1D(data.x, resolution=0), load_model("sphere"))
measured = numpy.log(numpy.clip(data.y, 1e-12, None))


def distance(radius):
    """Compare shapes: the scale is whatever fits best."""
    difference = measured - numpy.log(numpy.clip(model(radius=radius, background=0), 1e-12, None))
    return float(numpy.mean((difference - numpy.median(difference)) ** 2))


start = min(range(20, 200), key=distance)
radius = minimize_scalar(distance, bounds=(start - 2, start + 2), method="bounded").x
print(f"radius {radius:.1f} Å")
assert abs(radius - 80) < 2, radius
