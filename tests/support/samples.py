"""Recorded chejan and real-time events, as text files in tests/kiwoom/samples (their format is in the files)."""

from dataclasses import dataclass
from pathlib import Path

SAMPLES = Path(__file__).parents[1] / "kiwoom" / "samples"

_LEVELS = tuple(fid + level for level in range(10) for fid in (41, 61, 81, 51, 71, 91))
RAW_ORDER = {
    "주식호가잔량": (21, *_LEVELS, 121, 122, 125, 126, 23, 24, 128, 129, 138, 139),
    "장시작시간": (215, 20, 214),
}
"""The FIDs behind the raw strings, in order (KIWOOM.md 3.2)."""


@dataclass(frozen=True)
class Chejan:
    gubun: str
    values: dict[int, str]

    def but(self, **changes: str) -> "Chejan":
        """The same event with other values: but(f902="0")."""
        return Chejan(self.gubun, {**self.values, **{int(name[1:]): text for name, text in changes.items()}})


@dataclass(frozen=True)
class Real:
    code: str
    real_type: str
    raw: str

    @property
    def values(self) -> dict[int, str]:
        return dict(zip(RAW_ORDER.get(self.real_type, ()), self.raw.split("\t"), strict=False))


def chejan(name: str) -> Chejan:
    head, *lines = _lines(f"chejan_{name}")
    fields = (line.split(" ", 1) for line in lines)
    return Chejan(head.removeprefix("gubun "), {int(number): text[1:-1] for number, text in fields})


def real(name: str) -> Real:
    code, real_type, raw = (line.split(" ", 1)[1] for line in _lines(f"real_{name}"))
    return Real(code, real_type, raw.replace("|", "\t"))


def _lines(name: str) -> list[str]:
    text = (SAMPLES / f"{name}.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]
