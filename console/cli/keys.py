"""``models keygen``: a key to sign models with."""

import json
from pathlib import Path
from typing import Annotated

import typer

from console.cli.options import AsJson


def keygen(
    out: Annotated[Path, typer.Option("--out", help="new file for the private key; never overwritten")],
    as_json: AsJson = False,
) -> None:
    """Make an Ed25519 key for the keeper to sign with, and print its public half.

    The file is for its owner alone: give it to the keeper (--signing-key). The public key goes into the
    pipeline file, under serving.trusted_keys.
    """
    from training.signing import make_key

    public = make_key(out)
    typer.echo(json.dumps({"public_key": public, "file": str(out)}) if as_json else public)
