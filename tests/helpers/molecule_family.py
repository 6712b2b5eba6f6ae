"""Small molecules that share chains and ring systems."""

CHAINS = ("C", "CC", "CCC", "OCC", "NCC", "FCC", "CC(C)C", "N#CC", "ClCC", "COCC")
CORES = ("c1ccccc1", "C1CCCCC1", "c1ccncc1", "C1CCOCC1", "c1ccsc1", "c1ccc2ccccc2c1", "C1CC1")
FAMILY = [chain + core for core in CORES for chain in CHAINS]
