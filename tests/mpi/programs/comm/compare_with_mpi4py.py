"""Calls every method of an interruptible world and of mpi4py's own, and compares the results."""

import numpy as np
from mpi4py import MPI

from matexapps.comm.interruptible import make_world_interruptible

plain = MPI.COMM_WORLD.Dup()
ours = make_world_interruptible()
assert MPI.COMM_WORLD is ours
rank, n = plain.rank, plain.size
assert (ours.rank, ours.size) == (rank, n)
left, right = (rank - 1) % n, (rank + 1) % n


def objects(comm):
    yield comm.barrier()
    yield comm.bcast({"from": rank}, root=n - 1)
    yield comm.gather("x" * (1000 * rank), root=0)
    yield comm.allgather((rank, "y" * rank))
    yield comm.scatter([f"for {k}" for k in range(n)] if rank == n - 1 else None, root=n - 1)
    yield comm.alltoall([f"{rank} to {k}" for k in range(n)])
    yield comm.reduce(rank + 1, op=MPI.PROD, root=0)
    yield comm.allreduce([rank])
    yield comm.allreduce(rank, op=MPI.MAX)
    yield comm.scan(rank + 1)
    yield comm.exscan(rank + 1)
    yield comm.sendrecv({"rank": rank}, dest=right, source=left)
    status = MPI.Status()
    if rank == 0:
        received = sorted(comm.recv(source=MPI.ANY_SOURCE, tag=7) for _ in range(n - 1))
        yield received
        comm.ssend("answer", dest=n - 1, tag=8)
    if rank > 0:
        comm.send("s" * 10**5 + str(rank), dest=0, tag=7)
    if rank == n - 1 and n > 1:
        comm.probe(source=0, tag=8)
        yield comm.recv(source=0, tag=8, status=status), status.Get_source(), status.Get_tag()
    yield comm.recv(source=MPI.PROC_NULL)


def buffers(comm):
    mine = np.arange(3.0) + rank
    for name in ("Allreduce", "Scan"):
        out = np.zeros(3)
        getattr(comm, name)(mine, out, op=MPI.SUM)
        yield out
    out = np.zeros(3)
    comm.Reduce(mine, out if rank == 0 else None, op=MPI.MAX, root=0)
    yield out
    inplace = mine.copy()
    comm.Allreduce(MPI.IN_PLACE, inplace)
    yield inplace
    both = np.zeros((n, 3))
    comm.Allgather(mine, both)
    yield both
    comm.Bcast(both, root=0)
    comm.Gather(mine, both if rank == 0 else None, root=0)
    yield both
    comm.Scatter(both if rank == 0 else None, mine, root=0)
    yield mine
    comm.Alltoall(np.arange(float(n)) + 10 * rank, out := np.zeros(n))
    yield out
    comm.Sendrecv(mine, dest=right, recvbuf=(got := np.zeros(3)), source=left)
    yield got
    if rank == 0 and n > 1:
        comm.Send(mine, dest=1, tag=3)
    if rank == 1:
        comm.Recv(got, source=0, tag=3)
        yield got
    part = comm.Split(color=rank % 2, key=-rank)
    yield part.size, part.rank, part.allreduce(rank)
    yield comm.Dup().allreduce(1)
    comm.Barrier()


for work in (objects, buffers):
    pairs = zip(list(work(plain)), list(work(ours)), strict=True)
    for number, (a, b) in enumerate(pairs):
        assert np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b, (number, a, b)
try:
    ours.alltoall([1] * (n + 1))
    raise SystemExit("must be refused")
except ValueError as error:
    refused = f"expecting {n} items" in str(error)
assert refused
print("same", flush=True)
