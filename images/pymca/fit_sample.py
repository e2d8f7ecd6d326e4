"""Fit the sample spectrum with its configuration, and print the elements found: what the recipe does by hand."""

from pathlib import Path

from PyMca5.PyMcaIO import ConfigDict, specfilewrapper
from PyMca5.PyMcaPhysics.xrf import ClassMcaTheory

here = Path(__file__).parent
scan = specfilewrapper.Specfile(str(here / "Steel.spe"))[0]
counts = scan.mca(1)
configuration = ConfigDict.ConfigDict()
configuration.read(str(here / "Steel.cfg"))
theory = ClassMcaTheory.McaTheory()
theory.configure(configuration)
theory.setData(range(len(counts)), counts)
theory.estimate()
_, result = theory.startfit(digest=1)
areas = {group: result[group]["fitarea"] for group in result["groups"]}
for group, area in sorted(areas.items(), key=lambda item: -item[1]):
    print(f"{group:6} {area:12.0f}")
# a steel: iron first
assert max(areas, key=areas.get) == "Fe Ka", areas
