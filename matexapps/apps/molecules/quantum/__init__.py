"""Labels from quantum chemistry: GFN2-xTB for many molecules, over ranks."""
