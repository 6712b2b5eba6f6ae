"""From a molecule to numbers: graph, descriptors, fingerprint, SMILES characters, picture."""

from matexapps.apps.molecules.featurisers.descriptors import RdkitDescriptors
from matexapps.apps.molecules.featurisers.featuriser import Arrays, Featuriser
from matexapps.apps.molecules.featurisers.fingerprints import MorganCounts
from matexapps.apps.molecules.featurisers.graph import Graph
from matexapps.apps.molecules.featurisers.image import MoleculeImage
from matexapps.apps.molecules.featurisers.properties import Properties
from matexapps.apps.molecules.featurisers.tokens import SmilesTokens

FEATURISERS: dict[str, type[Featuriser]] = {
    one.name: one
    for one in (Graph, Properties, RdkitDescriptors, MorganCounts, SmilesTokens, MoleculeImage)
}

__all__ = ["FEATURISERS", "Arrays", "Featuriser"]
