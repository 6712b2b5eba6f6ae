"""``%%mpi --distribute``: cells written for one process, in a real kernel."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kernel import Notebook, open_notebook

PREPARE = """
import torch
from torch import nn
torch.manual_seed(4)
rows = torch.randn(90, 5)
label = (rows.sum(1, keepdim=True) > 0).float()
model = nn.Sequential(nn.Linear(5, 12, bias=False), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.2),
                      nn.Linear(12, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
"""
TRAIN = """
for epoch in range(3):
    for part in torch.randperm(90).split(25):
        optimizer.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(model(rows[part]), label[part])
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch}: {loss.item():.5f}")
round(sum(p.abs().sum().item() for p in model.parameters()), 3)
"""


@pytest.fixture(scope="module")
def notebook() -> Iterator[Notebook]:
    """A kernel with two ranks."""
    with open_notebook("%load_ext matexapps") as notebook:
        notebook.good("%mpi start -n 2")
        yield notebook


def lines(text: str) -> list[str]:
    """The lines that say something."""
    return [line for line in text.splitlines() if line.strip()]


def test_cells_print_on_ranks_what_they_print_in_the_notebook_and_only_once(notebook):
    notebook.good(PREPARE)
    alone = lines(notebook.good(TRAIN))
    assert [line.split(":")[0] for line in alone[:3]] == ["epoch 0", "epoch 1", "epoch 2"]
    notebook.good(f"%%mpi --distribute\n{PREPARE}")
    assert lines(notebook.good(f"%%mpi --distribute\n{TRAIN}")) == alone


def test_the_rows_are_divided_among_the_ranks(notebook):
    notebook.good("%%mpi\nseen = []")
    watch = """
class Watched(nn.Linear):
    def forward(self, x):
        seen.append(len(x))
        return super().forward(x)
print(len(Watched(5, 1)(rows)))
"""
    assert lines(notebook.good(f"%%mpi --distribute\n{watch}")) == ["90"]
    notebook.good("%mpi pull seen")
    assert "[45, 45]" in notebook.good("[seen[-1] for seen in cluster.pull('seen')]")


def test_an_error_names_its_line_and_the_next_cell_runs(notebook):
    cell = """
import os
if "1" in (os.environ.get("OMPI_COMM_WORLD_RANK"), os.environ.get("PMI_RANK")):
    rows = rows + 1
model(rows)
"""
    shown = notebook.cell(f"%%mpi --distribute\n{cell}")
    assert "in call 1 of Sequential, rank 1 has different inputs than rank 0" in shown.text
    notebook.good(f"%%mpi --distribute\n{PREPARE}")


def test_it_takes_all_ranks(notebook):
    shown = notebook.cell("%%mpi --distribute --rank 0\nprint(1)")
    assert "a distributed cell runs on all ranks" in shown.text


def test_stop_ends_a_running_cell_and_the_next_one_runs(notebook):
    shown = notebook.cell(
        "%%mpi --distribute\nprint('begun')\nwhile True:\n    model(rows).sum().backward()",
        when="begun",
        then=notebook.stop,
    )
    assert "KeyboardInterrupt" in shown.text
    # One rank may have been stopped before, and another after it updated the network's statistics.
    assert lines(notebook.good("%%mpi --distribute\nprint(len(model(rows)))"))[0] == "90"
    notebook.good(f"%%mpi --distribute\n{PREPARE}")
    assert lines(notebook.good("%%mpi --distribute\nprint(len(model(rows)))")) == ["90"]
