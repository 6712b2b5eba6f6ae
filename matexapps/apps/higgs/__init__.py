"""Higgs classification: telling H0 -> W W h0 events from top-quark pairs."""

from matexapps.experiment.train_function import train_of

DOMAIN = "matexapps.apps.higgs.domain:HIGGS"
"""Where ranks find the domain."""

train = train_of(DOMAIN)
