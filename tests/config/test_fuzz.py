"""Bad input of any kind ends in told faults, never in anything else."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from config.reader import SHIPPED, ConfigErrors, load
from config.schema import keys

LINES = (SHIPPED / "config.yaml").read_text(encoding="utf-8").splitlines()
PATHS = [key.path for key in keys()]
SCRAPS = st.sampled_from(
    ["", ":", "- ", "{", "}", "[", "]", "'", '"', "|", ">", "&a", "*a", "!!int", "\t", "#", "? ", "---", "...",
     "%YAML 9.9", "~", "<<: ", "0x1F", "1e400", "-0", ".inf", "00", "=", "\\",
     "\0", "\ud7ff", "가", "💥", "\u2028", "1_0", "9" * 40]
)  # fmt: skip
VALUES = st.recursive(
    SCRAPS | st.integers().map(str) | st.text(max_size=8) | st.sampled_from(["true", "1.5", "09:00", "005930", "real"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(items) + "]")
        | st.dictionaries(st.text(max_size=4), inner, max_size=3).map(
            lambda items: "{" + ", ".join(f"{key}: {value}" for key, value in items.items()) + "}"
        )
    ),
    max_leaves=6,
)


def read(raw: bytes, sets: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_bytes(raw)
        (Path(folder) / "universe.csv").write_text("code,name,market\n005930,삼성전자,KOSPI\n", encoding="utf-8")
        try:
            found = load(path, sets, {})
        except ConfigErrors as errors:
            assert errors.lines
            assert all("\n" not in line and ": " in line for line in errors.lines), errors.lines
        else:
            assert found.sha256


@given(st.binary(max_size=200))
@settings(max_examples=60, deadline=None)
def test_any_bytes(raw: bytes) -> None:
    read(raw, [])


@given(st.lists(st.tuples(st.integers(0, len(LINES) - 1), st.integers(0, 60), SCRAPS), min_size=1, max_size=3))
@settings(max_examples=80, deadline=None)
def test_the_shipped_file_with_scraps_in_it(changes: list[tuple[int, int, str]]) -> None:
    lines = list(LINES)
    for number, column, scrap in changes:
        lines[number] = lines[number][:column] + scrap + lines[number][column:]
    read("\n".join(lines).encode("utf-8", "surrogatepass"), [])


@given(st.lists(st.tuples(st.sampled_from(PATHS), VALUES).map("=".join) | st.text(max_size=20), min_size=1, max_size=3))
@settings(max_examples=100, deadline=None)
def test_any_options(options: list[str]) -> None:
    read(b"", options)
