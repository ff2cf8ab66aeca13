"""``python -m hwsim.models``: train, export, measure. ``--table``: measure what is shipped."""

import json
from pathlib import Path
from typing import Any

import click
import numba
import numpy as np
import safetensors.numpy
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from hwsim.errors import HwsimError, MissingExtraError
from hwsim.files import write_atomically
from hwsim.models import accuracy

DATA = Path(__file__).parents[1] / "data"


@click.command()
@click.option("--table", "only_table", is_flag=True, help="Print the accuracy table of the shipped files.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=DATA, show_default=True,
              help="Folder that receives digits.safetensors and networks/.")  # fmt: skip
def main(only_table: bool, out: Path) -> None:
    """Train the digits networks (about four minutes, seeded) and write them as network files."""
    try:
        if not only_table:
            _train(out)
        if out == DATA:
            click.echo(accuracy.table())
    except HwsimError as error:
        raise click.UsageError(str(error)) from None


def _train(out: Path) -> None:
    try:
        import torch

        from hwsim.models import training
        from hwsim.torch import fake_quant
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"training ({error.name})", "torch,dev") from None
    torch.set_num_threads(1)
    numba.set_num_threads(1)  # the tensors are so small that threads cost more than they do
    torch.use_deterministic_algorithms(True)
    images, held_out, labels, held_out_labels = training.split_digits()
    write_atomically(
        out / "digits.safetensors",
        safetensors.numpy.save({"images": held_out, "labels": held_out_labels.astype(np.uint8)}),
    )
    trainer = training.Trainer(images, labels)
    columns = TextColumn("{task.description:14}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        for recipe in training.RECIPES.values():
            task = progress.add_task(recipe.name, total=max(recipe.epochs, 1))
            trainer.train(recipe, lambda task=task: progress.advance(task))  # type: ignore[misc]
            progress.update(task, completed=max(recipe.epochs, 1))
    x = training.to_input(held_out)
    results: dict[str, dict[str, Any]] = {}
    for name, recipe in training.RECIPES.items():
        if not recipe.reference:
            continue
        model = trainer.models[name]
        results[name] = {
            "weights": sum(layer.weight.numel() for layer in training.layers(model)),
            "bits_per_weight": training.bits_per_weight(model),
            "float": training.accuracy(trainer.models[recipe.reference], x, held_out_labels),
            "trained": training.accuracy(model, x, held_out_labels),
        }
        if name in trainer.reconstructed:
            before = training.accuracy(trainer.reconstructed[name], x, held_out_labels)
            results[name]["before_retraining"] = before
        network = trainer.export(name, model, out / "networks")
        expected, got = fake_quant(network, x), accuracy.logits(network, x.numpy())
        results[name] |= {
            "fake_quant": float((expected.argmax(axis=1) == held_out_labels).mean()),
            "hwsim": float((got.argmax(axis=1) == held_out_labels).mean()),
            "same_predictions": bool((expected.argmax(axis=1) == got.argmax(axis=1)).all()),
            "max_logit_difference": float(np.abs(expected - got).max()),
            "max_logit": float(np.abs(expected).max()),
        }
    write_atomically(out / "networks" / "accuracy.json", (json.dumps(results, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
