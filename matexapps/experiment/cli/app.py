"""``matexapps DOMAIN train`` and ``predict``, for any domain."""

from __future__ import annotations

import inspect
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from matexapps.errors import MatexError
from matexapps.experiment.cli.options import command, given_settings, options_of
from matexapps.experiment.settings import ExperimentSettings, from_plain, read_settings

if TYPE_CHECKING:
    from matexapps.experiment.domain import Domain

RESTARTS = 3
SETTINGS: dict[str, Any] = {
    "no_args_is_help": True,
    "add_completion": False,
    "pretty_exceptions_enable": False,
}

Ranks = Annotated[int, typer.Option("-n", "--ranks", min=1, help="Number of MPI ranks.")]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print the results as one line of JSON, last.")
]
SettingsFile = Annotated[
    str | None,
    typer.Option(
        "--settings",
        metavar="FILE",
        help="Settings in a JSON file, or those that a model's folder keeps; options go first.",
    ),
]

ModelFolder = Annotated[str, typer.Argument(help="Folder that train --out wrote.")]
RowsFile = Annotated[str, typer.Argument(help="File with the rows to predict.")]
PredictionFile = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Table to write. \\[default: ROWS_predicted.csv]"),
]


def domain_app(
    reference: str,
    title: str,
    settings: type[ExperimentSettings],
    program: str,
    example: str = "",
    prediction: type | None = None,
) -> typer.Typer:
    """Return the commands of a domain.

    Parameters
    ----------
    reference : str
        Of the domain, as in ``"package.module:NAME"``; it is imported on the ranks alone.
    title : str
        The domain's.
    settings : type
        The dataclass that options are made from.
    program : str
        What a user types before the verb, as in "matexapps higgs".
    example : str
        Options for the example in the help of ``train``.
    prediction : type or None
        A dataclass of further options of ``predict``, which the domain's ``source`` takes.
    """
    app = typer.Typer(
        help=title, epilog=f"For example:  {program} train {example}--out model -n 2", **SETTINGS
    )
    options = options_of(settings)
    common = [
        _parameter("n", Ranks, 2),
        _parameter("settings_file", SettingsFile, None),
        _parameter("as_json", AsJson, False),
    ]

    @app.callback()
    def group() -> None:
        pass

    group.__doc__ = title

    @app.command("train", epilog=f"For example:  {program} train {example}--out model -n 2")
    @command("train", _TRAIN.format(title=title), [*options, *common])
    def train(n: int, settings_file: str | None, as_json: bool, **values: Any) -> None:
        given = {
            **({} if settings_file is None else read_settings(settings_file)),
            **given_settings(settings, values),
        }
        checked = from_plain(settings, given)
        words = {"domain": reference, "verb": "train", "settings": given, "json": as_json}
        _on_ranks(words, n, checked.recovery)

    arguments = [
        _parameter("model", ModelFolder, inspect.Parameter.empty),
        _parameter("rows", RowsFile, inspect.Parameter.empty),
        _parameter("n", Ranks, 2),
        _parameter("out", PredictionFile, None),
        *([] if prediction is None else options_of(prediction)),
        _parameter("as_json", AsJson, False),
    ]

    @app.command("predict", epilog=f"For example:  {program} predict model rows.csv -n 4")
    @command("predict", "Predict each row of a file, in its order, with a kept model.", arguments)
    def predict(
        model: str, rows: str, n: int, out: str | None, as_json: bool, **values: Any
    ) -> None:
        source = Path(rows)
        table = out or str(source.with_name(f"{source.name.split('.')[0]}_predicted.csv"))
        given = {"model": model, "rows": rows, "out": table}
        if prediction is not None:
            given |= given_settings(prediction, values)
        words = {"domain": reference, "verb": "predict", "settings": given, "json": as_json}
        _on_ranks(words, n)

    return app


def add_verb(
    app: typer.Typer,
    verb: str,
    text: str,
    settings: type,
    function: str,
    example: str,
    positional: str | None = None,
) -> None:
    """Add a command that calls a function on ranks and prints what it returns as JSON.

    Parameters
    ----------
    app : typer.Typer
        The domain's.
    verb, text : str
        The command's name and its help.
    settings : type
        A dataclass, from which its options are made.
    function : str
        Of a dictionary of settings and :class:`~matexapps.experiment.ranks.Ranks`, as in
        ``"package.module:NAME"``; it is imported on the ranks alone.
    example : str
        As a user types it.
    positional : str or None
        The setting that is given without a name.
    """
    parameters = [*options_of(settings, positional=positional), _parameter("n", Ranks, 2)]

    @app.command(verb, epilog=f"For example:  {example}")
    @command(verb, text, parameters)
    def run(n: int, **values: Any) -> None:
        given = given_settings(settings, values)
        from_plain(settings, given)
        _on_ranks({"function": function, "settings": given}, n)


_TRAIN = """{title}

Train from each seed, compare with simpler methods on the same rows, and keep the model."""


def _on_ranks(words: dict[str, Any], n: int, recovery: str | None = None) -> None:
    """Run :mod:`matexapps.experiment.command` on ranks; where it fails, leave with its status."""
    from matexapps.launch.mpiexec import require_fault_tolerance, run_on_ranks

    if recovery in ("shrink", "reinit") and n > 1:
        require_fault_tolerance(recovery)
    status = run_on_ranks(
        "matexapps.experiment.command",
        [json.dumps(words)],
        n,
        fault_tolerant=recovery in (None, "shrink", "reinit"),
        restarts=RESTARTS if recovery == "checkpoint" else 0,
    )
    if status:
        raise typer.Exit(status)


def run_domain(domain: Domain[Any, Any], arguments: list[str] | None = None) -> None:
    """Run the commands of a domain of one's own, at the end of its module.

    An error of matexapps ends them with one line and status 1.

    Examples
    --------
    ::

        if __name__ == "__main__":
            run_domain(WINE)
    """
    from matexapps.experiment.reference import reference_of

    app = domain_app(
        reference_of(domain), domain.title, domain.settings, f"python {Path(sys.argv[0]).name}"
    )
    try:
        app(arguments)
    except MatexError as error:
        typer.secho(str(error), fg="red", err=True)
        raise SystemExit(1) from None


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=annotation)
