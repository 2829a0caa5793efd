"""Reads a text file as people save it here: UTF-8 or CP949 (Excel on Korean Windows), with or without a mark."""

from pathlib import Path
from typing import Final

SIZE_MAX: Final = 1_000_000
"""Bytes. A larger file is a mistake, not a configuration."""


class TextError(Exception):
    """Why the file cannot be read, in words."""


def read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(SIZE_MAX + 1)
    except FileNotFoundError:
        raise TextError("the file does not exist") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise TextError(f"the file cannot be read ({reason})") from None
    if len(raw) > SIZE_MAX:
        raise TextError(f"the file is larger than {SIZE_MAX:,} bytes")
    for encoding in ("utf-8-sig", "cp949"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise TextError("the file is neither UTF-8 nor CP949 text")
