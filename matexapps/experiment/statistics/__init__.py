"""Figures with their uncertainty: bootstrap intervals, paired differences, conformal prediction."""
