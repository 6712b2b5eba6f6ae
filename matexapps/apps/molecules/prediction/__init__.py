"""Prediction of a library of molecules of any size, in its order."""
