"""Simulated collisions for the HIGGS benchmark: PYTHIA 8, a parametrized detector, FastJet.

Signal is ``g g -> H0(425) -> W H+-(325) -> W W h0(125) -> l nu q q' b b``, background top-quark
pairs with the same final state, as in Baldi, Sadowski and Whiteson, Nature Communications 5
(2014) 4308. An event passes through the modules in this order: :mod:`events`, :mod:`detector`,
:mod:`jets`, :mod:`reconstruction`; :mod:`campaign` cuts a sample into blocks that ranks share.
"""
