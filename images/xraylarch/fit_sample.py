"""Take the oscillations out of the sample and fit its first shell: what the recipe does by hand. Print the distance."""

from pathlib import Path

from larch.fitting import guess, param_group
from larch.io import read_ascii
from larch.xafs import autobk, feffit, feffit_dataset, feffit_report, feffit_transform, feffpath

here = Path(__file__).parent
data = read_ascii(str(here / "copper-synthetic.dat"), labels="energy mu")
autobk(data, rbkg=1.0, kweight=2)
parameters = param_group(amplitude=guess(1.0), shift=guess(0.1), longer=guess(0.0), disorder=guess(0.003))
file = str(here / "copper-path1.dat")
path = feffpath(file, s02="amplitude", e0="shift", deltar="longer", sigma2="disorder")
transform = feffit_transform(kmin=3, kmax=14, kweight=2, dk=4, window="kaiser", rmin=1.6, rmax=2.9)
result = feffit(parameters, feffit_dataset(data=data, paths=[path], transform=transform))
distance = path.reff + result.params["longer"].value
print(feffit_report(result))
print(f"nearest neighbours at {distance:.3f} Å")
# the structure has them at 3.615 Å / sqrt(2)
assert abs(distance - 2.556) < 0.02, distance
