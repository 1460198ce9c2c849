"""Writes YAML as the catalog is written: keys in their own order, letters as they are."""

from __future__ import annotations

from typing import Any, Final

import yaml

# libyaml writes the same ten times as fast; not every installation has it.
_FAST: Final = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def write_yaml(document: object, *, width: int = 80) -> str:
    """Write a document; lines are folded at about `width`."""
    text = _dumped(document, width, _FAST)
    # But it escapes what is beyond the basic plane of Unicode, which people want to read.
    return _dumped(document, width, yaml.SafeDumper) if "\\U" in text else text


def _dumped(document: object, width: int, dumper: Any) -> str:  # Any: a class of either kind
    text: str = yaml.dump(document, Dumper=dumper, sort_keys=False, allow_unicode=True, width=width)
    return text
