"""Settings that cannot be used are refused before anything is read."""

import pytest

from matexapps.apps.higgs.settings import ExperimentSettings
from matexapps.errors import TrainingError
from matexapps.experiment.settings import from_plain


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"network": "presnt"}, "did you mean 'present'"),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"epoch": 3}, "did you mean 'epochs'"),
        ({"recovery": "shrinc"}, "did you mean 'shrink'"),
        ({"recovery": "checkpoint"}, "--checkpoints"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused(given, said):
    with pytest.raises(TrainingError, match=said):
        from_plain(ExperimentSettings, given)
