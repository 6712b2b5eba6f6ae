"""Predicting a library of molecules, as long as one likes, in its order."""
