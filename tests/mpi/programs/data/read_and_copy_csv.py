"""Reads CSV files in ranges, directly and into columnar copies, and prints what each way gave."""

import json
import sys
from pathlib import Path

from matexapps.comm.world import open_world
from matexapps.data.csv.cache import columnar_copy
from matexapps.data.schema.schema import Schema
from matexapps.data.sources.formats import open_reader
from matexapps.errors import DataError

with open_world(timeout_s=60) as comm:
    answers = {}
    for name, settings in json.loads(sys.argv[1]).items():
        schema = Schema(**settings)
        results = []
        for how in ("read", "copy"):
            try:
                reader = open_reader(Path(name), schema)
                if how == "copy":
                    reader = columnar_copy(reader, schema, comm)
                rows = reader.read_all(comm)
                key = None if rows.key is None else rows.key.tolist()
                results.append([rows.digest(), key, reader.locate(len(rows) - 1)])
            except DataError as error:
                results.append(str(error))
        of_all_ranks = comm.all_gather_object(results)
        assert of_all_ranks == [results] * comm.world_size, of_all_ranks
        answers[name] = results
    if comm.rank == 0:
        print(json.dumps(answers))
