"""From a molecule to numbers: graph, descriptors, fingerprint, SMILES characters, picture."""

from matexapps.apps.molecules.featurizers.descriptors import RdkitDescriptors
from matexapps.apps.molecules.featurizers.featurizer import Arrays, Featurizer
from matexapps.apps.molecules.featurizers.fingerprints import MorganCounts
from matexapps.apps.molecules.featurizers.graph import Graph
from matexapps.apps.molecules.featurizers.image import MoleculeImage
from matexapps.apps.molecules.featurizers.properties import Properties
from matexapps.apps.molecules.featurizers.tokens import SmilesTokens

FEATURIZERS: dict[str, type[Featurizer]] = {
    featurizer.name: featurizer
    for featurizer in (
        Graph,
        Properties,
        RdkitDescriptors,
        MorganCounts,
        SmilesTokens,
        MoleculeImage,
    )
}

__all__ = ["FEATURIZERS", "Arrays", "Featurizer"]
