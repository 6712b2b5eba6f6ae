"""Settings that cannot be used are refused before anything is read."""

import pytest

from matexapps.apps.higgs.settings import HiggsSettings
from matexapps.errors import TrainingError
from matexapps.experiment.settings import from_plain


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"network": "presnt"}, "did you mean 'present'"),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"rows": 3}, "rows must be at least 10, got 3"),
        ({"epoch": 3}, "did you mean 'epochs'"),
        ({"recovery": "shrinc"}, "did you mean 'shrink'"),
        ({"recovery": "checkpoint"}, "--checkpoints"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused(given, message):
    with pytest.raises(TrainingError, match=message):
        from_plain(HiggsSettings, given)
