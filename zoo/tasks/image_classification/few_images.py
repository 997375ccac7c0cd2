"""Whether the head is fitted to frozen features: of few images a class, from pretrained weights."""

from __future__ import annotations

from collections.abc import Collection

from zoo.finding import Finding
from zoo.preset.linear_probe import AUTO, FIRST, LINEAR_PROBE, NONE, OF_STEPS, ONLY
from zoo.preset.preset import Preset

# See recipe.linear_probe.name in presets/why.yaml.
FEW_IMAGES = 10  # a class


def choose_linear_probe(
    preset: Preset, images: int, classes: int, fixed: Collection[str]
) -> tuple[str, list[Finding]]:
    """Return what `recipe.linear_probe` is for some data, with findings on it.

    Args:
        preset: with what was set in it.
        images: of the training part.
        classes: of the data.
        fixed: the keys that were set.

    Returns:
        `none`, `only` or `first`.
    """
    name = preset.recipe.linear_probe.name  # type: ignore[attr-defined]
    if name != AUTO:
        return name, []
    each = images / classes
    few = f"{each:.3g} images a class are few (up to {FEW_IMAGES})"
    evidence = {"images": images, "classes": classes, "few": FEW_IMAGES}
    if preset.recipe.init is None:
        if each > FEW_IMAGES:
            return NONE, []
        what = f"{few}, and the weights start at random: pretrained ones would be far better."
        return NONE, [Finding("info", what, evidence, "Name some with --init.")]
    if each > FEW_IMAGES:
        return FIRST, []
    held = [key for key in fixed if key.startswith(OF_STEPS)]
    if held:
        what = (
            f"{few}, but {', '.join(held)} was set, so {LINEAR_PROBE} is {FIRST}: all is trained."
        )
        hint = f"Set {LINEAR_PROBE}={ONLY} to train the head alone."
        return FIRST, [Finding("info", what, evidence, hint)]
    what = (
        f"{few}: {LINEAR_PROBE} auto -> {ONLY}: the head is fitted to the features of frozen "
        "weights, and nothing else is trained (Kornblith 2019)."
    )
    return ONLY, [Finding("info", what, evidence, f"Set {LINEAR_PROBE}={FIRST} to train all.")]
