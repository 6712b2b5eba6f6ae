"""Pre-training: a network first learns what can be computed for any molecule.

Goh, Siegel, Vishnu, Hodas, Baker, ChemNet (arXiv:1712.02734): the targets are RDKit's descriptors,
computed from the structure alone, and optionally columns of labels such as those of GFN2-xTB. Then
the training on measured values starts from the encoders and the hidden layer.

Held out are all molecules of the later task's validation and test parts, by InChIKey, so that these
parts are as new to the network as molecules of the future. Their measured values would not leak in
any case, since descriptors do not depend on them. Not held out are the task's training molecules,
stereoisomers of test molecules, and molecules that are merely similar to them. This holds for the
split in the settings only; a training on another split counts how many of its test molecules the
network has seen.
"""
