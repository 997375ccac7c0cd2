"""Whether a classifier is trained on contrastive pairs: of few rows, from pretrained weights."""

from __future__ import annotations

from collections.abc import Collection

from zoo.errors import ZooError
from zoo.finding import Finding
from zoo.preset.contrastive import BROUGHT, CONTRASTIVE, NONE, PAIRS
from zoo.preset.preset import Preset
from zoo.tasks.text_classification.settings import Contrastive

# See recipe.contrastive.name in presets/transformer/why.yaml.
FEW_ROWS = 500
FEW = "minilm-few"


def contrastive_of(preset: Preset) -> Contrastive:
    """Return `recipe.contrastive`, which a recipe of texts has."""
    block: Contrastive = preset.recipe.contrastive  # type: ignore[attr-defined]
    return block


def choose_contrastive(
    preset: Preset, rows: int, several: bool, pairs_of_texts: bool, fixed: Collection[str]
) -> tuple[str, list[Finding]]:
    """Return `pairs` or `none`, what `recipe.contrastive` is for some data, with findings on it.

    Args:
        preset: with what was set in it.
        rows: of the training part.
        several: whether they have several labels each.
        pairs_of_texts: whether each is a pair of texts.
        fixed: the keys that were set.

    Raises:
        ZooError: pairs were asked for, and rows with several labels have none.
    """
    name = contrastive_of(preset).name
    if name == PAIRS and several:
        raise ZooError(
            f"{CONTRASTIVE}={PAIRS}: pairs of rows are like or unlike by one label, and the rows "
            f"have several. Set {CONTRASTIVE}={NONE}, or train another preset, such as minilm."
        )
    if name in (PAIRS, NONE) or rows > FEW_ROWS or several or pairs_of_texts:
        return (name if name == PAIRS else NONE), []
    few = f"{rows:,} rows of training are few (up to {FEW_ROWS})"
    evidence = {"rows": rows, "few": FEW_ROWS}
    if preset.recipe.init is None:
        what = f"{few}, and the weights start at random: pretrained ones would be far better."
        hint = f"English: `zoo train {preset.model} DATA --preset {FEW}`; others: --init e5."
        return NONE, [Finding("info", what, evidence, hint)]
    held = [key for key in BROUGHT if key in fixed]
    if held:
        what = f"{few}, but {', '.join(held)} was set, so {CONTRASTIVE} is {NONE}: fine-tuning."
        hint = f"Set {CONTRASTIVE}={PAIRS} to train on contrastive pairs, which are better of few."
        return NONE, [Finding("info", what, evidence, hint)]
    what = (
        f"{few}: {CONTRASTIVE} auto -> {PAIRS}, as in the preset {FEW}: contrastive pairs, then "
        "logistic regression (Tunstall 2022)."
    )
    return PAIRS, [Finding("info", what, evidence, f"Set {CONTRASTIVE}={NONE} to fine-tune.")]
