"""The communicator on real ranks, compared with known results."""

from __future__ import annotations

import json

import pytest

SEVERAL = [pytest.param(2, marks=pytest.mark.slow), 3]

COLLECTIVES = """
    import json
    import numpy as np
    from matexapps.comm.world import open_world

    with open_world() as comm:
        rank, n = comm.rank, comm.world_size
        large = np.arange(1_500_000, dtype=np.float64) + rank
        comm.all_reduce(large)
        sums = bool((large == n * np.arange(1_500_000) + n * (n - 1) / 2).all())
        top = np.array([rank, -rank], np.int64)
        comm.all_reduce(top, "max")
        image = np.full((3, 700_000), rank, np.float32)
        comm.broadcast(image, root=n - 1)
        rows = comm.all_gather_rows(np.full((rank, 2), rank, np.float32))
        several = all(
            (comm.all_gather_rows(np.full((count, 5), rank + 10.0 * count))[:, 0].reshape(n, count)
             == np.arange(n)[:, None] + 10.0 * count).all()
            for count in (3, 1, 0, 2000, 7, 60_000, 2, 60_000, 5)
        )
        objects = comm.all_gather_object({"rank": rank, "text": "x" * 1000 * rank})
        all_ranks = comm.all_gather_object({
            "sums": sums,
            "top": top.tolist(),
            "image": [float(image.min()), float(image.max())],
            "rows": rows[:, 0].tolist(),
            "several": several,
            "objects": [len(o["text"]) for o in objects],
            "root": comm.on_root(lambda: f"from {rank}"),
            "local": [comm.local_rank, comm.local_size],
        })
        if rank == 0:
            print(json.dumps(all_ranks))
"""


@pytest.mark.mpich
@pytest.mark.parametrize("n", [1, 2, 3])
def test_collectives_give_known_results_on_every_rank(run_ranks, n):
    result = run_ranks(n, COLLECTIVES)
    assert result.returncode == 0, result.stderr
    all_ranks = json.loads(result.stdout)
    assert len(all_ranks) == n
    for rank, seen in enumerate(all_ranks):
        assert seen["sums"] is True
        assert seen["top"] == [n - 1, 0]
        assert seen["image"] == [n - 1, n - 1]
        assert seen["rows"] == [r for r in range(n) for _ in range(r)]
        assert seen["several"] is True
        assert seen["objects"] == [1000 * r for r in range(n)]
        assert seen["root"] == "from 0"
        assert seen["local"] == [rank, n]


MEANS = """
    import json, sys
    import numpy as np
    from matexapps.comm.world import open_world

    def means(comm, path, kind):
        if path == "messages" and comm.world_size > 1:
            from matexapps.comm.shared.mean_buffers import MessageMean
            buffer = MessageMean(comm._data, comm._waiting, comm.barrier, 600_001, kind)
        else:
            buffer = comm.mean_buffer(600_001, kind)
        results = []
        for step in range(4):
            weight = (comm.rank + 1.0) * (step + 1)
            buffer.local[:] = weight * (np.arange(600_001) % 1000 + comm.rank)
            total = buffer.average(weight)
            results.append([total, float(buffer.mean[0]), float(buffer.mean[-1])])
        same = comm.all_gather_object(buffer.mean.tobytes())
        buffer.close()
        return {"means": results, "same": len(set(same)) == 1}

    with open_world() as comm:
        seen = {f"{path} {kind}": means(comm, path, np.dtype(kind).type)
                for path in ("own", "messages") for kind in ("float32", "float64")}
        if comm.rank == 0:
            print(json.dumps(seen))
"""


@pytest.fixture(scope="module", params=[1, 2, 3])
def means(request, run_ranks_once):
    """A number of ranks, and what each kind of mean came to on them."""
    result = run_ranks_once(request.param, MEANS)
    assert result.returncode == 0, result.stderr
    return request.param, json.loads(result.stdout)


@pytest.mark.mpich
@pytest.mark.parametrize("path", ["own", "messages"])
@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_weighted_means_are_exact_and_the_same_bits_everywhere(means, kind, path):
    n, seen = means[0], means[1][f"{path} {kind}"]
    weights = [r + 1.0 for r in range(n)]
    offset = sum(w * r for r, w in enumerate(weights)) / sum(weights)
    for step, (total, first, last) in enumerate(seen["means"]):
        assert total == sum(weights) * (step + 1)
        assert first == pytest.approx(offset, rel=1e-6)
        assert last == pytest.approx(600_000 % 1000 + offset, rel=1e-6)
    assert seen["same"]


@pytest.mark.mpich
@pytest.mark.parametrize("n", [2, 3])
def test_an_exception_on_one_rank_frees_the_others(run_ranks, n):
    result = run_ranks(
        n,
        """
        from matexapps.comm.world import open_world
        from matexapps.errors import PeerAborted

        with open_world(timeout_s=60) as comm:
            if comm.rank == 1:
                raise ValueError("the third row is odd")
            try:
                comm.barrier()
            except PeerAborted as error:
                print(f"freed: {error}", flush=True)
                raise
        """,
    )
    assert result.returncode != 0
    assert result.stdout.count("freed: rank 1 on") == n - 1
    assert result.stdout.count("ValueError: the third row is odd") == n - 1


@pytest.mark.mpich
@pytest.mark.parametrize("n", SEVERAL)
def test_a_rank_that_does_not_arrive_is_an_error_not_a_hang(run_ranks, n):
    result = run_ranks(
        n,
        """
        import os
        from matexapps.comm.world import open_world
        from matexapps.errors import CommunicationError

        comm = open_world(timeout_s=0.5)
        flag = open_world()
        if comm.rank != 0:
            try:
                comm.barrier()
            except CommunicationError as error:
                print(type(error).__name__, error, flush=True)
        flag.barrier()
        """,
    )
    assert result.returncode == 0, result.stderr
    assert "DeadlineExceeded waited" in result.stdout
    assert "barrier" in result.stdout


@pytest.mark.mpich
@pytest.mark.parametrize("n", SEVERAL)
def test_an_interrupt_ends_a_wait_and_a_new_world_works(run_ranks, n):
    result = run_ranks(
        n,
        """
        import os, signal, threading
        from matexapps.comm.world import open_world
        from matexapps.errors import CommunicationError, PeerAborted

        flag = open_world()
        comm = open_world(timeout_s=60)
        if comm.rank == 0:
            threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        if comm.rank < comm.world_size - 1:
            try:
                comm.barrier()
            except (KeyboardInterrupt, PeerAborted) as error:
                print(comm.rank, type(error).__name__, flush=True)
            try:
                comm.barrier()
            except CommunicationError as error:
                print("left:", error, flush=True)
        flag.barrier()
        again = open_world()
        print("sum", sum(again.all_gather_object(again.rank)), flush=True)
        """,
    )
    assert result.returncode == 0, result.stderr
    assert "0 KeyboardInterrupt" in result.stdout
    assert result.stdout.count("PeerAborted") >= n - 2
    assert result.stdout.count("left: this communicator was left in the middle") == n - 1
    assert result.stdout.count(f"sum {n * (n - 1) // 2}") == n


@pytest.mark.parametrize("n", [1, 2, 3])
def test_an_error_on_any_rank_is_raised_on_all(run_ranks, n):
    result = run_ranks(
        n,
        """
        from matexapps.comm.world import open_world
        from matexapps.errors import DataError

        with open_world() as comm:
            last = comm.rank == comm.world_size - 1

            def work():
                if last:
                    raise DataError(f"bad row on {comm.rank}")
                return comm.rank

            try:
                comm.on_all(work)
            except DataError as error:
                print(error, flush=True)
            try:
                comm.on_root(lambda: 1 / 0)
            except ZeroDivisionError as error:
                print(error, flush=True)
            assert comm.on_all(lambda: comm.rank) == comm.rank
        """,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.count(f"bad row on {n - 1}") == n
    assert result.stdout.count("division by zero") == n
