"""What `arb check` shows, and what it must never show."""

from pathlib import Path

import pytest

from config.check import as_written, describe, differences, mask_account
from config.reader import LoadedConfig, load
from config.schema import Config

UNIVERSE = "code,name,market\n005930,삼성전자,KOSPI\n000660,SK하이닉스,KOSPI\n"


def loaded(folder: Path, text: str, *sets: str, environ: dict[str, str] | None = None) -> LoadedConfig:
    (folder / "universe.csv").write_text(UNIVERSE, encoding="utf-8")
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, sets, environ or {})


def test_every_value_is_shown_with_where_it_came_from(tmp_path: Path) -> None:
    found = loaded(
        tmp_path, "# mine\nspread_engine:\n  cooldown_ms: 50\n", "paper.seed=3", "router.fallback_after_ms=900"
    )
    rows = {row.path: (row.value, row.origin) for row in describe(found)}
    assert rows["spread_engine.cooldown_ms"] == ("50", f"{tmp_path / 'config.yaml'}:3")
    assert rows["paper.seed"] == ("3", "--set")
    assert rows["execution.t_hedge_ms"] == ("900", "alias of router.fallback_after_ms")
    assert rows["fees.nxt.regulatory_bps"] == ("0.31833", "default")
    assert rows["sessions.nxt_main.end"] == ('"15:20:00"', "default")


def test_maps_are_shown_by_their_own_keys(tmp_path: Path) -> None:
    text = "symbols:\n  per_symbol_overrides:\n    000660:\n      t_hedge_ms: 700\n"
    text += "sessions: {special_days: {2027-01-04: {start: 10:01}}}\n"
    rows = {row.path: row for row in describe(loaded(tmp_path, text))}
    assert rows["symbols.per_symbol_overrides.000660.t_hedge_ms"].origin.endswith("config.yaml:4")
    assert rows["sessions.special_days.2027-01-04.start"].value == '"10:01:00"'
    assert "sessions.special_days.2027-01-04.end" not in rows


def test_the_account_and_the_webhook_are_masked(tmp_path: Path) -> None:
    secret = "https://hooks.slack.com/SECRET"
    found = loaded(tmp_path, 'kiwoom: {account: "1234567890"}\n', environ={"SLACK_WEBHOOK_URL": secret})
    rows = {row.path: row.value for row in describe(found)}
    assert rows["kiwoom.account"] == "12******90"
    assert rows["alerts.slack.webhook"] == "${SLACK_WEBHOOK_URL} (set)"
    assert "1234567890" not in str(rows)
    assert "SECRET" not in str(rows)
    without = {row.path: row.value for row in describe(loaded(tmp_path, ""))}
    assert without["alerts.slack.webhook"] == "${SLACK_WEBHOOK_URL} (not set)"
    assert without["kiwoom.account"] == '""'


@pytest.mark.parametrize(
    ("account", "masked"), [("1234567890", "12******90"), ("123456", "12**56"), ("12345", "*****"), ("", "")]
)
def test_an_account_keeps_two_digits_at_each_end(account: str, masked: str) -> None:
    assert mask_account(account) == masked


def test_a_change_is_the_keys_that_differ(tmp_path: Path) -> None:
    before = loaded(tmp_path, "")
    after = before.changed(["spread_engine.cooldown_ms=0", "symbols.per_symbol_overrides.005930.t_hedge_ms=800"])
    assert differences(before, after) == [
        ("symbols.per_symbol_overrides", "{}", ""),
        ("spread_engine.cooldown_ms", "100", "0"),
        ("symbols.per_symbol_overrides.005930.t_hedge_ms", "", "800"),
        ("symbols.per_symbol_overrides.005930.hedge_ioc_only", "", "false"),
    ]
    assert differences(before, before) == []


def test_what_is_shown_can_be_written_back(tmp_path: Path) -> None:
    found = loaded(
        tmp_path,
        "taxes: {schedule: [{from: 2026-01-01, market: KOSPI, bps: 1}, "
        "{from: 2026-01-01, market: KOSDAQ, bps: 2.5}]}\n",
    )
    options = [
        f"{path}={as_written(value)}"
        for path, value in (
            ("taxes.schedule", found.config.taxes.schedule),
            ("kiwoom.screen_numbers.orders", ("0101", "2001")),
            ("paper.faults", {"a": [1, 0.5, True, None, "1", 'quote"']}),
            ("sessions.overlap_window.start", found.config.sessions.overlap_window.start),
        )
    ]
    again = loaded(tmp_path, "", *options).config
    assert again.taxes == found.config.taxes
    assert again.kiwoom.screen_numbers.orders == ("0101", "2001")
    assert again.paper.faults == {"a": [1, 0.5, True, None, "1", 'quote"']}
    assert again.sessions == Config().sessions
