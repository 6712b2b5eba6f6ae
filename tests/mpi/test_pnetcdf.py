"""Classic NetCDF files read by all ranks together, and by each rank alone without PnetCDF.

PnetCDF must be linked to the ranks' own MPI. Debian's is linked to Debian's Open MPI, so these
tests start Debian's ``mpirun`` and have mpi4py load Debian's ``libmpi``.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from mpi_programs import program
from scipy.io import netcdf_file

ROWS = 47
X = np.random.default_rng(0).normal(size=(ROWS, 3))
LABEL = np.arange(ROWS) % 2
SITES = ["Oslo", "Bern", "Rome"] * 15 + ["Oslo", "Bern"]
SITE = np.array(SITES, "S4").view("S1").reshape(ROWS, 4)
PACKED = np.arange(ROWS) * 3 - 40
TURNED = np.arange(3 * ROWS).reshape(3, ROWS)
IMAGES = np.random.default_rng(1).integers(0, 2**16 - 1, (ROWS, 4, 5))

MPIRUN = Path("/usr/bin/mpirun.openmpi")
LIBMPI = next(Path("/usr/lib").glob("*/libmpi.so.40"), None)
LIBPNETCDF = next(Path("/usr/lib").glob("*/libpnetcdf.so.0d"), None)

SCRIPT = program("data/read_netcdf.py")


def run_debian_ranks(tmp_path, n, *args):
    if not (MPIRUN.exists() and LIBMPI and LIBPNETCDF):
        pytest.skip("needs Debian's PnetCDF and MPI: apt-get install libpnetcdf0d openmpi-bin")
    script = tmp_path / "ranks.py"
    script.write_text(SCRIPT)
    environment = {
        **os.environ,
        "MPI4PY_LIBMPI": str(LIBMPI),
        "OMPI_MCA_rmaps_base_oversubscribe": "1",
        "OMPI_MCA_hwloc_base_binding_policy": "none",
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.run(
        [str(MPIRUN), "-n", str(n), sys.executable, str(script), *map(str, args)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def write(create_variable):
    """Fill a file's dimensions row, k and length."""
    create_variable("x", "f8", ("row", "k"))[:] = X
    create_variable("site", "S1", ("row", "length"))[:] = SITE
    create_variable("packed", "i2", ("row",))[:] = PACKED
    create_variable("turned", "i4", ("k", "row"))[:] = TURNED
    create_variable("weight", "f4", ("row",))[:] = np.arange(1, ROWS + 1)
    create_variable("label", "i1", ("row",))[:] = LABEL


@pytest.fixture
def files(tmp_path):
    """Paths of CDF-1, CDF-2 and CDF-5 files of the same table, and one of images."""
    paths = []
    for version in (1, 2):
        paths.append(tmp_path / f"scipy_{version}.nc")
        with netcdf_file(paths[-1], "w", version=version) as file:
            for name, size in {"row": ROWS, "k": 3, "length": 4}.items():
                file.createDimension(name, size)
            write(file.createVariable)
            file.variables["packed"].scale_factor = 0.5
            file.variables["packed"].missing_value = np.int16(PACKED[30])
    for form in ("NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA"):
        paths.append(tmp_path / f"{form}.nc")
        with netCDF4.Dataset(paths[-1], "w", format=form) as file:
            for name, size in {"row": ROWS, "k": 3, "length": 4}.items():
                file.createDimension(name, size)
            write(file.createVariable)
            file["packed"].setncatts({"scale_factor": 0.5, "missing_value": np.int16(PACKED[30])})
    paths.append(tmp_path / "image.nc")
    with netCDF4.Dataset(paths[-1], "w", format="NETCDF3_64BIT_DATA") as file:
        for name, size in {"row": None, "y": 4, "x": 5}.items():
            file.createDimension(name, size)
        file.createVariable("image", "u2", ("row", "y", "x"))[:] = IMAGES
        file.createVariable("label", "u8", ("row",))[:] = LABEL
    return paths


@pytest.fixture
def broken(tmp_path):
    """A file whose last rank's share holds an infinite value."""
    path = tmp_path / "broken.nc"
    with netCDF4.Dataset(path, "w", format="NETCDF3_64BIT_DATA") as file:
        for name, size in {"row": ROWS, "k": 3, "length": 4}.items():
            file.createDimension(name, size)
        write(file.createVariable)
        file["x"][ROWS - 2, 1] = np.inf
    return path


def check(ranks, files, broken, n, together):
    assert ranks.returncode == 0, ranks.stderr
    answers = json.loads(ranks.stdout.splitlines()[-1])
    message = f"{broken}, row {ROWS - 2} (from 0), column 'x_1': inf is not a finite 32-bit number"
    assert len(answers) == n
    for used, errors in answers:
        assert used == together
        assert list(errors) == [str(broken)]
        assert errors[str(broken)].startswith(message)
    packed = np.where(np.arange(ROWS) == 30, np.nan, PACKED * 0.5)
    sites = np.array([[site == "Bern", site == "Oslo", site == "Rome"] for site in SITES])
    expected = np.column_stack([X, sites, packed, TURNED.T]).astype(np.float32)
    for path in files:
        for rank in range(n):
            with np.load(f"{path}.{rank}.npz") as rows:
                np.testing.assert_array_equal(rows["label"], LABEL)
                np.testing.assert_array_equal(rows["ids"], np.arange(ROWS))
                if path.stem == "image":
                    np.testing.assert_array_equal(rows["x"], IMAGES)
                    continue
                np.testing.assert_array_equal(rows["x"], expected)
                np.testing.assert_array_equal(rows["weight"], np.arange(1, ROWS + 1))
                assert rows["site"].tolist() == SITES


@pytest.mark.parametrize("n", [2, 3])
def test_ranks_read_together(tmp_path, files, broken, n):
    ranks = run_debian_ranks(tmp_path, n, *files, broken)
    check(ranks, files, broken, n, together=True)


def test_each_rank_reads_alone_where_pnetcdf_is_not_for_its_mpi(run_ranks, files, broken):
    check(run_ranks(2, SCRIPT, *files, broken), files, broken, 2, together=False)
