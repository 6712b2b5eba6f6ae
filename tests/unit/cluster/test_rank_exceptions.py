"""Which exception is shown when several ranks fail."""

import pickle

import pytest

from matexapps.cluster.call.rank_exceptions import RankException, root_cause, to_error
from matexapps.errors import ClusterError, DataError


def exception(rank, type_name, raised_at, message="broken", error=None):
    trace = f"Traceback of rank {rank}\n{type_name}: {message}"
    pickled = None if error is None else pickle.dumps(error)
    return RankException(rank, f"node{rank}", type_name, message, trace, raised_at, pickled=pickled)


def test_the_first_exception_that_is_not_a_consequence_is_the_cause():
    exceptions = [
        exception(0, "PeerAborted", 1.0),
        exception(1, "ValueError", 3.0),
        exception(2, "KeyError", 2.0),
        exception(3, "KeyboardInterrupt", 0.5),
    ]
    assert root_cause(exceptions).rank == 2


def test_where_all_raise_the_same_the_lowest_rank_is_the_cause():
    exceptions = [exception(rank, "DataError", 9.0 - rank) for rank in range(3)]
    assert root_cause(exceptions).rank == 0


def test_consequences_alone_still_give_a_cause():
    assert root_cause([exception(1, "PeerAborted", 1.0)]).rank == 1


def test_the_cause_is_shown_first_and_only_once():
    error = to_error([exception(0, "PeerAborted", 1.0), exception(1, "ValueError", 2.0)], 2)
    assert isinstance(error, ClusterError)
    assert str(error).startswith("rank 1 of 2 on node1 raised ValueError: broken\n")
    shown = "\n".join(error._render_traceback_())
    assert shown.index("ValueError") < shown.index("Also stopped: rank 0.")
    assert shown.count("Traceback of rank") == 1


def test_an_error_of_ours_keeps_its_class_and_message():
    message = "file x.csv, row 3: text 'a' in column energy"
    error = to_error([exception(0, "DataError", 1.0, message, DataError(message))], 1)
    assert type(error) is DataError
    assert str(error) == message
    assert error.__notes__ == ["Raised on rank 0 of 1 on node0."]


def test_an_error_that_cannot_be_unpickled_is_still_shown():
    broken = RankException(0, "node0", "DataError", "lost", "trace", 1.0, pickled=b"no pickle")
    error = to_error([broken], 1)
    assert type(error) is ClusterError
    assert "DataError: lost" in str(error)


def test_foreign_exceptions_become_cluster_errors():
    with pytest.raises(ClusterError, match="rank 0 of 1 on node0 raised ValueError: broken"):
        raise to_error([exception(0, "ValueError", 1.0, error=ValueError("broken"))], 1)
