"""``models card`` and ``models export``: a version as files for people and for other machines."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from console.cli.options import STATE_DIR, AsJson, Bootstrap, Config, StateDir

Version = Annotated[str, typer.Argument(help="as `sluicegate models list` names it")]


class Format(StrEnum):
    """Forms that other machines run."""

    ONNX = "onnx"


def card(
    version: Version,
    out: Annotated[Path | None, typer.Option("--out", help="the HTML file to write")] = None,
    show: Annotated[bool, typer.Option("--open", help="show it in the browser of this machine")] = False,
    state_dir: StateDir = STATE_DIR,
) -> None:
    """Write the model card of a trained version: one HTML page that needs nothing from anywhere.

    Refused versions have one, too. The file is VERSION.html, unless `--out` or `--open` say otherwise.
    """
    from console.model_files import open_page, write_file
    from training.keeper.client import KeeperClient

    with KeeperClient(state_dir) as keeper:
        html = keeper.card(version)
    if out is not None or not show:
        path = out or Path(f"{version}.html")
        write_file(path, html.encode())
        typer.echo(f"{path}: {len(html.encode()):,} bytes")
    if show:
        typer.echo(f"shown from {open_page(version, html)}")


def export(
    version: Version,
    out: Annotated[Path, typer.Option("--out", help="the file to write")],
    form: Annotated[Format, typer.Option("--format", help="what to write")] = Format.ONNX,
    config: Config = None,
    broker: Bootstrap = None,
    state_dir: StateDir = STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Write a version for other machines: features in (32 bits), margin and calibrated score out.

    The file is held to the scorer's own scores before it is written. ONNX needs `sluicegate[export]`. The
    model is taken from the models topic, else from the state folder's training runs.
    """
    from console.local_run import find_bootstrap
    from console.model_files import find_model, write_file
    from console.pipeline_file import find_config, open_pipeline
    from feature_store.errors import ConfigError

    try:
        from training.export.onnx_export import export_onnx
    except ImportError as error:
        raise ConfigError(f"{error.name} is not installed: pip install 'sluicegate[export]'") from error
    pipeline = open_pipeline(find_config(config), state_dir)
    manifest, artifact = find_model(
        version, pipeline, state_dir, lambda: find_bootstrap(broker, state_dir, pipeline)
    )
    made = export_onnx(manifest, artifact)
    write_file(out, made.model)
    told = made._asdict() | {"model": len(made.model)}
    if as_json:
        typer.echo(json.dumps({"file": str(out), "format": form, "version": version} | told))
        return
    typer.echo(
        f"{out}: {len(made.model):,} bytes; at most {made.furthest:.1g} from the scorer's scores on "
        f"{made.rows:,} rows around its thresholds; input is float32, and {made.collided:,} of "
        f"{made.thresholds:,} thresholds cannot be told from a neighbour in it"
    )
