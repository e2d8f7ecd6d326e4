"""Write the notebook's sample: a compressed stack of synthetic detector images. Nothing in it was measured."""

import sys

import h5py
import hdf5plugin
import numpy

random = numpy.random.default_rng(2024)
y, x = numpy.mgrid[-128:128, -128:128]
radius = numpy.hypot(x, y)
rings = sum(height * numpy.exp(-(((radius - r) / 2.5) ** 2)) for r, height in ((34, 40), (55, 90), (70, 30), (96, 60)))
frames = random.poisson(2 + rings * numpy.linspace(0.3, 1.0, 10)[:, None, None]).astype("uint16")
with h5py.File(sys.argv[1], "w") as file:
    entry = file.create_group("entry")
    entry.attrs.update(NX_class="NXentry", default="detector")
    entry["title"] = "Synthetic powder rings: made by a program, not measured"
    detector = entry.create_group("detector")
    detector.attrs.update(NX_class="NXdata", signal="images")
    detector.create_dataset("images", data=frames, chunks=(1, 256, 256), **hdf5plugin.Bitshuffle(cname="lz4"))
