"""Write the sample: Quanty's input for the L2,3 edge of Ni2+ in an octahedral field, as Crispy's window writes it."""

import sys
from pathlib import Path

from crispy.notebook import calculation
from silx.gui.qt import QApplication

application = QApplication(sys.argv)
sample = calculation("Ni2+", symmetry="Oh", experiment="XAS", edge="L2,3 (2p)")
Path("Ni-XAS.lua").write_text(sample.get_input())
