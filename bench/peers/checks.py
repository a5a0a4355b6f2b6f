"""What the peers look at before they measure anything; what is wrong ends them in one sentence."""

import difflib
import importlib.util
import os
import pathlib


def words_of(option, text, known):
    """The words of a comma-separated list, each of them known."""
    words = text.split(",")
    for word in words:
        if word not in known:
            near = difflib.get_close_matches(word, known, n=1, cutoff=0)[0]
            raise SystemExit(
                f"{option} can be {', '.join(known)}, not '{word}'; did you mean '{near}'?"
            )
    return words


def at_least_one(options, *names):
    for name in names:
        if (value := getattr(options, name)) < 1:
            raise SystemExit(f"--{name} {value}: at least 1 is needed")


def writable(file):
    """As far as can be known before it is written."""
    file = pathlib.Path(file)
    if file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK):
        raise SystemExit(f"{file}: cannot be written")


def need(*packages):
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise SystemExit(
                f"the Python package {package} is not installed: "
                "pip install -r tests/reference/requirements.txt"
            )
