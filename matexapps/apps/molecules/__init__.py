"""Properties of molecules, learned from tables of structures and measured values."""

from matexapps.experiment.train_function import train_of

DOMAIN = "matexapps.apps.molecules.domain:MOLECULES"
"""Where ranks find the domain."""

train = train_of(DOMAIN)
