"""Write Larch's sample: the K edge of copper metal, computed with FEFF 8L from its structure. Nothing was measured."""

import shutil
from pathlib import Path

import numpy
from larch.xafs import feff8l
from larixite import cif2feffinp

CIF = """\
data_copper
_cell_length_a 3.615
_cell_length_b 3.615
_cell_length_c 3.615
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'F m -3 m'
_symmetry_Int_Tables_number 225
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Cu1 Cu 0 0 0 1
"""
EDGE = 8979.0  # eV
#: hbar^2/2m, in eV Å^2
K_SQUARED_TO_EV = 3.81


def spectrum(k, chi):
    """Return energies and the absorption: a step with the oscillations, on a falling background."""
    energy = numpy.concatenate([numpy.arange(-200, -20, 5), numpy.arange(-20, 40, 0.5), numpy.arange(40, 900, 2)])
    wave = numpy.sqrt(numpy.clip(energy, 0, None) / K_SQUARED_TO_EV)
    # thermal disorder, which FEFF leaves to the fit
    oscillation = numpy.interp(wave, k, chi * numpy.exp(-2 * 0.008 * k**2), left=0, right=0)
    step = 0.5 + numpy.arctan(energy / 1.5) / numpy.pi
    noise = numpy.random.default_rng(2024).normal(0, 2e-4, energy.size)
    return energy + EDGE, 1.2 - 2e-4 * energy + 2.3 * step * (1 + oscillation) + noise


Path("copper.cif").write_text(CIF)
folder = Path("copper-feff")
folder.mkdir()
(folder / "feff.inp").write_text(cif2feffinp(CIF, absorber="Cu", edge="K", cluster_size=6.0, version8=True))
feff8l(folder=str(folder), verbose=False)
k, chi = numpy.loadtxt(folder / "chi.dat", usecols=(0, 1), unpack=True)
columns = numpy.column_stack(spectrum(k, chi))
numpy.savetxt("copper-synthetic.dat", columns, fmt="%12.6f", header="copper, K edge: computed, not measured\nenergy mu")
shutil.copy(folder / "feff0001.dat", "copper-path1.dat")
shutil.rmtree(folder)
