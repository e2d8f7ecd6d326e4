"""Write the sample: the image of a calibrant as a detector would see it. pyFAI computed it; nothing was measured."""

import fabio
import numpy
from pyFAI.calibrant import get_calibrant
from pyFAI.detectors import detector_factory
from pyFAI.integrator.azimuthal import AzimuthalIntegrator

detector = detector_factory("Pilatus300k")
integrator = AzimuthalIntegrator(dist=0.1, poni1=0.055, poni2=0.042, detector=detector, wavelength=0.7e-10)
calibrant = get_calibrant("LaB6")
calibrant.wavelength = integrator.wavelength
rings = calibrant.fake_calibration_image(integrator, Imax=2000, W=0.00002)
image = numpy.random.default_rng(2024).poisson(rings + 5).astype("int32")
image[detector.mask.astype(bool)] = -1
header = {"title": "Synthetic image of LaB6, made by a program", "wavelength": "0.7e-10", "detector": "Pilatus 300k"}
fabio.edfimage.EdfImage(data=image, header=header).write("LaB6-synthetic.edf")
integrator.save("LaB6-synthetic.poni")
