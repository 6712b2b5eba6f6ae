"""Higgs classification: telling H0 -> W W h0 events from top-quark pairs."""
