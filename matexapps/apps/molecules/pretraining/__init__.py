"""A network that learns, before the few measured values, what can be computed for any molecule.

Goh, Siegel, Vishnu, Hodas, Baker, ChemNet (arXiv:1712.02734): the targets are RDKit's descriptors,
computed from structure alone, and columns of labels such as those of GFN2-xTB if they are named.
Then the encoders and the hidden layer begin the training on measured values.

What is held out: no molecule of the later task's validation and test parts, told by its InChIKey,
is learned from, so that these parts stay as new to the network as a molecule that comes tomorrow.
Their measured values would not leak in any case, since descriptors do not depend on them. What is
not held out: the task's training molecules, stereoisomers of test molecules, and molecules that are
merely similar to them. Only the split that is named is taken care of; a training on another split
counts how many of its test molecules the network has seen.
"""
