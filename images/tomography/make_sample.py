"""Write the sample: a sinogram of a computed phantom, with a rotation axis off the middle. Nothing was measured."""

import h5py
import hdf5plugin
import numpy
from scipy import ndimage

size, angles = 256, 361
random = numpy.random.default_rng(2024)
y, x = numpy.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
phantom = numpy.zeros((size, size), "float32")
for height, width, tall, left, up in (
    (1.0, 0.75, 0.6, 0, 0),
    (-0.6, 0.65, 0.5, 0, 0),
    (0.8, 0.12, 0.12, -0.3, 0.1),
    (0.5, 0.2, 0.08, 0.25, -0.15),
    (0.9, 0.05, 0.05, 0.1, 0.3),
):
    phantom[((x - left) / width) ** 2 + ((y - up) / tall) ** 2 < 1] += height
theta = numpy.linspace(0, 180, angles)
sinogram = numpy.stack([ndimage.rotate(phantom, -angle, reshape=False, order=1).sum(axis=0) for angle in theta])
# the detector stands 7.5 pixels aside
sinogram = ndimage.shift(sinogram, (0, 7.5), order=1)
sinogram += random.normal(0, 0.3, sinogram.shape)
with h5py.File("sinogram-synthetic.h5", "w") as file:
    entry = file.create_group("entry")
    entry["title"] = "Synthetic sinogram of a phantom: made by a program, not measured"
    entry.create_dataset(
        "sinogram", data=sinogram.astype("float32"), chunks=(64, size), **hdf5plugin.Bitshuffle(cname="lz4")
    )
    entry["angles"] = theta
