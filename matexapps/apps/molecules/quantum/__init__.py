"""Labels that quantum chemistry computes: GFN2-xTB for a list of molecules, over ranks."""
