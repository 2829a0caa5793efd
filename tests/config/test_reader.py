"""Every bad file and its message; --set, aliases and origins."""

from pathlib import Path

import pytest

from config.reader import SHIPPED, ConfigErrors, LoadedConfig, load
from config.schema import Config
from kiwoom.fees import Rounding

UNIVERSE = "code,name,market\n005930,삼성전자,KOSPI\n000660,SK하이닉스,KOSPI\n247540,에코프로비엠,KOSDAQ\n"

REAL = 'app: {mode: real}\nkiwoom: {account: "1234567890"}\n'


def written(folder: Path, text: str | bytes, universe: str = UNIVERSE) -> Path:
    (folder / "universe.csv").write_text(universe, encoding="utf-8")
    path = folder / "config.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def faults(folder: Path, text: str | bytes, *sets: str, universe: str = UNIVERSE) -> list[str]:
    path = written(folder, text, universe)
    with pytest.raises(ConfigErrors) as caught:
        load(path, sets, {})
    return [line.removeprefix(str(folder)).lstrip("/\\") for line in caught.value.lines]


def loaded(folder: Path, text: str, *sets: str, environ: dict[str, str] | None = None) -> LoadedConfig:
    return load(written(folder, text), sets, environ or {})


BAD = [
    # not YAML, or not as YAML is used here
    ("app:\n\tmode: paper\n", "config.yaml:2: not YAML: a tab cannot indent"),
    ("app: {mode: paper\n", "config.yaml:2: not YAML: expected ',' or '}'"),
    ("app: [\n", "config.yaml:2: not YAML: "),
    ("app: *x\n", "config.yaml:1: not YAML: an alias (*name) is not used here"),
    ("app: &x [*x]\n", "config.yaml:1: not YAML: an alias (*name) is not used here"),
    ("app: {}\n---\napp: {}\n", "config.yaml:2: not YAML: but found another document"),
    ("app: {mode: \x07}\n", "config.yaml:1: not YAML: an unprintable character"),
    ("# fine\nx: \x00\n", "config.yaml:2: not YAML: an unprintable character"),
    ("[" * 3_000, "config.yaml:1: not YAML: nested too deeply"),
    ("paper: {faults: {x: " + "[" * 30 + "]" * 30 + "}}", "nested too deeply"),
    ("- app\n", "config.yaml:1: file: is not a map; allowed: sections and their keys"),
    ("paper\n", "config.yaml:1: file: is not a map"),
    ("app: !!python/object:os.system {}\n", "config.yaml:1: app: the tag "),
    ("{a: b}: 1\n", "config.yaml:1: file: a key is not a word; allowed: key: value"),
    ("app: {}\nrisk: {}\napp: {}\n", "config.yaml:3: app: stands in line 1 already; allowed: each key once"),
    (
        "risk:\n  daily_loss_limit_krw: 1\n  daily_loss_limit_krw: 2\n",
        "config.yaml:3: risk.daily_loss_limit_krw: stands",
    ),
    # unknown keys
    (
        "execution:\n  t_hege_ms: 5\n",
        "config.yaml:2: execution.t_hege_ms: unknown key; the nearest known one is t_hedge_ms",
    ),
    ("sesions: {}\n", "config.yaml:1: sesions: unknown key; the nearest known one is sessions"),
    ("router: {cooldown_ms: 5}\n", "unknown key here; the nearest known one is spread_engine.cooldown_ms"),
    ("fees: {krx: {qqqq: 5}}\n", "fees.krx.qqqq: unknown key; allowed: broker_bps, regulatory_bps"),
    ("symbols: {per_symbol_overrides: {005930: {hedge_ioc: true}}}\n", "the nearest known one is hedge_ioc_only"),
    ("<<: {a: 1}\n", "config.yaml:1: <<: unknown key"),
    # shapes
    ("app: paper\n", "config.yaml:1: app: is not a map of keys to values; allowed: a section of keys"),
    ("app: [1]\n", "config.yaml:1: app: is not a map of keys to values"),
    ("execution: {t_hedge_ms: [1]}\n", "execution.t_hedge_ms: is not a single value; allowed: a whole number from 50"),
    ("symbols: {exclude: 005930}\n", "symbols.exclude: is not a list; allowed: a list of 6-digit codes"),
    ("paper: {holdings: [1]}\n", "paper.holdings: is not a map of keys to values"),
    ("paper: {faults: 3}\n", "paper.faults: is not a map of keys to values; allowed: a map"),
    # numbers
    ("execution: {t_hedge_ms: 1000.5}\n", "execution.t_hedge_ms: '1000.5' is not a whole number"),
    ("execution: {t_hedge_ms: 1e3}\n", "'1e3' is not a whole number; allowed: a whole number from 50 to 60,000"),
    ("execution: {t_hedge_ms: }\n", "execution.t_hedge_ms: has no value"),
    ("execution: {t_hedge_ms: ten}\n", "'ten' is not a whole number"),
    ("execution: {t_hedge_ms: ١٠٠٠}\n", "is not a whole number"),
    ("execution: {t_hedge_ms: 10}\n", "'10' does not fit; allowed: a whole number from 50 to 60,000"),
    ("execution: {slice_qty: 0}\n", "execution.slice_qty: '0' does not fit; allowed: a whole number from 1 to"),
    ("risk: {max_notional_per_leg_krw: -5}\n", "risk.max_notional_per_leg_krw: '-5' does not fit"),
    ("app: {logging: {rotate_mb: 99999999999999999999}}\n", "app.logging.rotate_mb: "),
    ("paper: {holdings: {005930: -1}}\n", "config.yaml:1: paper.holdings.005930: '-1' does not fit"),
    ("paper: {holdings: {005930: many}}\n", "paper.holdings.005930: 'many' is not a whole number"),
    # rates and ticks
    ("fees: {nxt: {broker_bps: 1.450001}}\n", "fees.nxt.broker_bps: 1.450001 has more than 5 decimals"),
    ("fees: {nxt: {broker_bps: -1}}\n", "fees.nxt.broker_bps: '-1' is not a decimal number of zero or more"),
    ("fees: {nxt: {broker_bps: 1.5e0}}\n", "'1.5e0' is not a decimal number"),
    ("fees: {nxt: {broker_bps: .nan}}\n", "'.nan' is not a decimal number"),
    ("fees: {krx: {broker_bps: 100.00001}}\n", "allowed: basis points with at most 5 decimals, from 0 to 100"),
    (
        "spread_engine: {edge_rule: {min_net_ticks_after_fees: 0.7}}\n",
        "0.7 is not a multiple of 0.5; allowed: a multiple of 0.5 from 0 to 20",
    ),
    ("spread_engine: {edge_rule: {min_net_ticks_after_fees: 20.5}}\n", "'20.5' does not fit"),
    ("symbols: {per_symbol_overrides: {005930: {edge_buffer_ticks: 0.25}}}\n", "0.25 is not a multiple of 0.5"),
    ("fees: {round_down_to_krw: {per: week}}\n", "'week' does not fit; allowed: one of order, fill, day"),
    # words
    ("app: {mode: live}\n", "config.yaml:1: app.mode: 'live' does not fit; allowed: one of paper, observe, real"),
    ("app: {timezone: UTC}\n", "app.timezone: 'UTC' does not fit; allowed: Asia/Seoul"),
    ("taxes: {enabled: maybe}\n", "taxes.enabled: 'maybe' is neither true nor false"),
    ("router: {entry_leg: both}\n", "allowed: one of auto, sell_rich, buy_cheap"),
    ("kiwoom: {server: test}\n", "kiwoom.server: 'test' does not fit; allowed: one of real, mock"),
    ("kiwoom: {account: 12-34}\n", "kiwoom.account: is not an account number; allowed: 10 digits"),
    # screens
    ('kiwoom: {screen_numbers: {orders: "0000"}}\n', "orders[0]: '0000' is not a screen number"),
    ("kiwoom: {screen_numbers: {marketdata: [12345]}}\n", "marketdata[0]: '12345' is not a screen number"),
    ("kiwoom: {screen_numbers: {marketdata: [abcd]}}\n", "marketdata[0]: 'abcd' is not a screen number"),
    ("kiwoom: {screen_numbers: {marketdata: []}}\n", "marketdata: is empty or too short"),
    ("kiwoom: {screen_numbers: {marketdata: [1001, 1001]}}\n", "1001 stands there 2 times; allowed: each screen once"),
    (
        "kiwoom: {screen_numbers: {marketdata: [1001, 1002], orders: [2001, 1002]}}\n",
        "kiwoom.screen_numbers.orders: 1002 is a market-data screen; allowed: screens that carry no feed",
    ),
    ("kiwoom: {screen_numbers: {orders: 1001}}\n", "orders: 1001 is a market-data screen"),
    # limits of the broker
    (
        "kiwoom: {rate_limits: {orders_per_sec: 6}}\n",
        "kiwoom.rate_limits.orders_per_sec: '6' does not fit; allowed: a whole",
    ),
    ("throttling: {orders_bucket_per_sec: 6}\n", "throttling.orders_bucket_per_sec: '6' does not fit"),
    ("kiwoom: {rate_limits: {queries_per_sec: 6}}\n", "kiwoom.rate_limits.queries_per_sec: '6' does not fit"),
    (
        "kiwoom:\n  rate_limits:\n    orders_per_sec: 3\n    reserve_order_tokens: 3\n",
        "config.yaml:4: kiwoom.rate_limits.reserve_order_tokens: 3 of 3 orders a second leaves none for entries",
    ),
    (
        "kiwoom:\n  rate_limits: {orders_per_sec: 3}\n",
        "config.yaml:2: throttling.min_tokens_free_to_start_new_pair: 4 does not fit 3 orders a second of which 2 are",
    ),
    (
        "throttling: {min_tokens_free_to_start_new_pair: 2}\n",
        "2 does not fit 5 orders a second of which 2 are reserved",
    ),
    # times
    ("sessions: {overlap_window: {start: 9 o'clock}}\n", 'sessions.overlap_window.start: "9 o\'clock" is not a time'),
    ("sessions: {overlap_window: {start: 24:00}}\n", "'24:00' is not a time of day; allowed: a time of day in Seoul"),
    ("sessions: {overlap_window: {start: 9:00}}\n", "'9:00' is not a time of day"),
    (
        "sessions:\n  overlap_window:\n    start: 15:19:50\n    end: 09:00:32\n",
        "config.yaml:3: sessions.overlap_window.start: 15:19:50 is not before the end 09:00:32",
    ),
    ("sessions: {overlap_window: {start: 15:19:50}}\n", "15:19:50 is not before the end 15:19:50"),
    (
        "sessions: {overlap_window: {end: 15:21}}\n",
        "entries from 09:00:32 to 15:21:00 go beyond NXT's main market and KRX's regular session",
    ),
    ("sessions: {special_days: {2026-02-30: {}}}\n", "sessions.special_days.2026-02-30: '2026-02-30' is not a date"),
    ("sessions: {special_days: {2026-11-19: {end: 16:19:50}}}\n", "sessions.special_days.2026-11-19: entries from"),
    ("sessions: {special_days: {2026-11-19: {start: 16:00}}}\n", "16:00:00 is not before the end 15:19:50"),
    # modes
    ("app: {mode: real}\n", "config.yaml:1: kiwoom.account: real mode trades only the account that is named here"),
    (
        REAL + "sessions: {arm_only_in_overlap: false}\n",
        "config.yaml:3: sessions.arm_only_in_overlap: false is not allowed",
    ),
    (
        'app: {mode: real}\nkiwoom: {account: "1234567890", features: {use_sor: true}}\n',
        "kiwoom.features.use_sor: true is",
    ),
    (
        'app: {mode: real}\nkiwoom: {account: "1234567890", server: 모의투자}\n',
        "kiwoom.server: the mock server trades KRX",
    ),
    # switches with one position
    (
        "execution: {cancel_then_new_on_type_change: false}\n",
        "execution.cancel_then_new_on_type_change: an order's type",
    ),
    ("kiwoom: {features: {use_al_feed: true}}\n", "kiwoom.features.use_al_feed: the consolidated feed is not used"),
    ("market_data: {subscribe_top_of_book_only: false}\n", "deeper levels are not kept; allowed: true"),
    # the universe
    ("symbols: {universe_file: none.csv}\n", "config.yaml:1: symbols.universe_file: "),
    ("symbols: {per_symbol_overrides: {999999: {t_hedge_ms: 900}}}\n", "999999 is not in the universe file"),
    ("symbols: {per_symbol_overrides: {5930: {}}}\n", "per_symbol_overrides.5930: '5930' is not a 6-digit code"),
    ("paper: {holdings: {999999: 5}}\n", "paper.holdings.999999: 999999 is not in the universe file"),
    ("paper: {holdings: {5930: 5}}\n", "paper.holdings.5930: '5930' is not a 6-digit code"),
    ("market_data: {heartbeat_symbols: ['999999']}\n", "market_data.heartbeat_symbols: 999999 is not in the universe"),
    ("symbols: {exclude: ['005930', '000660', '247540']}\n", "symbols.exclude: every symbol is excluded"),
    ("market_data: {shards: 0}\n", "market_data.shards: '0' does not fit; allowed: auto, or a whole number"),
    ("market_data: {shards: some}\n", "market_data.shards: 'some' "),
    ("market_data: {shards: 4}\n", "market_data.shards: 4 shards for 3 symbols leaves some empty"),
    (
        "market_data: {shards: 3}\nkiwoom: {screen_numbers: {marketdata: [1001, 1002]}}\n",
        "2 screens are too few for 3 shards",
    ),
    # amounts that contradict each other
    ("execution: {slice_qty: 11}\n", "execution.slice_qty: 11 is more than max_outstanding_shares_per_symbol"),
    (
        "risk: {max_notional_per_leg_krw: 30_000_000}\n",
        "risk.max_notional_per_leg_krw: 30,000,000 is more than risk.max_notional_per_symbol_krw; allowed: 1 to 20",
    ),
    ("risk: {kill_switches: {stop_at_daily_loss: true}}\n", "is on without a limit; allowed: true together with"),
    (
        "symbols: {per_symbol_overrides: {005930: {max_outstanding_pairs: 10}}}\nexecution: {slice_qty: 2}\n",
        "10 slices are more than max_outstanding_shares_per_symbol; allowed: 1 to 5",
    ),
    (
        "router: {hedge_leg: {hedge_price: mid, allow_nxt_mid_price: false}}\n",
        "router.hedge_leg.hedge_price: mid needs allow_nxt_mid_price: true",
    ),
    # taxes
    ("taxes: {schedule: [{from: 2026-01-01, market: KOSPI, bps: 20}]}\n", "taxes.schedule: has no row for KOSDAQ"),
    (
        "taxes: {schedule: [{from: 2026-1-1, market: KOSPI, bps: 20}]}\n",
        "taxes.schedule[0].from: '2026-1-1' is not a date",
    ),
    ("taxes: {schedule: [{from: 2026-01-01, market: KOSPI}]}\n", "taxes.schedule[0].bps: is missing"),
    (
        "taxes: {schedule: [{from: 2026-01-01, market: KONEX, bps: 1}]}\n",
        "'KONEX' does not fit; allowed: one of KOSPI, KOSDAQ",
    ),
    (
        "taxes:\n  schedule:\n    - {from: 2026-01-01, market: KOSDAQ, bps: 1}\n"
        "    - {from: 2026-01-01, market: KOSPI, bps: 1}\n    - {from: 2026-01-01, market: KOSPI, bps: 2}\n",
        "KOSPI from 2026-01-01 stands there 2 times",
    ),
    # secrets and other machines
    ("alerts: {slack: {webhook: 'https://hooks.slack.com/x'}}\n", "alerts.slack.webhook: a secret never stands in"),
    ("alerts: {slack: {webhook: SLACK_WEBHOOK_URL}}\n", "allowed: ${NAME_OF_A_VARIABLE}, such as ${SLACK_WEBHOOK_URL}"),
    ("supervision: {bind_host: 0.0.0.0}\n", "supervision.bind_host: 0.0.0.0 can be reached by other machines"),
    ("supervision: {bind_host: trading-pc}\n", "supervision.bind_host: trading-pc can be reached by other machines"),
    (
        "supervision: {convention: {leader: '10.0.0.2:1900'}}\n",
        "supervision.convention.leader: 10.0.0.2 is another machine",
    ),
    (
        "supervision: {convention: {leader: '10.0.0.2'}}\n",
        "leader: '10.0.0.2' does not fit; allowed: HOST:PORT or empty",
    ),
    ("supervision: {heartbeat_ms: 1500}\n", "supervision.hung_after_ms: 2000 is less than two heartbeats"),
    ("supervision: {gateway_hung_after_ms: 1000}\n", "1000 is less than hung_after_ms; allowed: at least 2000"),
    # aliases
    (
        "execution:\n  t_hedge_ms: 1000\nrouter:\n  fallback_after_ms: 900\n",
        "config.yaml:4: router.fallback_after_ms: 900 is not 1000, the value of execution.t_hedge_ms",
    ),
    (
        "kiwoom: {rate_limits: {orders_per_sec: 5}}\nthrottling: {orders_bucket_per_sec: 4}\n",
        "config.yaml:2: throttling.orders_bucket_per_sec: 4 is not 5, the value of kiwoom.rate_limits.orders_per_sec",
    ),
    (
        "kiwoom: {rate_limits: {queries_per_sec: 5}}\nthrottling: {queries_bucket_per_sec: 4}\n",
        "throttling.queries_bucket_per_sec: 4 is not 5",
    ),
    # paths
    ("paper: {scenario: ./none.yaml}\n", "paper.scenario: the file does not exist; allowed: a name or a file"),
    ("symbols: {universe_file: ''}\n", "symbols.universe_file: is empty or too short"),
]


@pytest.mark.parametrize(("text", "expected"), BAD, ids=[expected[:70] for _, expected in BAD])
def test_a_bad_file_is_told_once_with_its_line_and_what_is_allowed(tmp_path: Path, text: str, expected: str) -> None:
    lines = faults(tmp_path, text)
    assert len(lines) == 1, lines
    assert expected in lines[0]
    assert "; allowed: " in lines[0] or "the nearest known one is" in lines[0]
    assert lines[0].startswith("config.yaml:")


def test_every_fault_is_told_in_the_order_of_the_lines(tmp_path: Path) -> None:
    text = "app: {mode: live}\nfees: {krx: {broker_bps: x}}\nrisk:\n  nothing: 1\nexecution: {slice_qty: 11}\n"
    starts = [line.split(": ")[0] for line in faults(tmp_path, text)]
    assert starts == ["config.yaml:1", "config.yaml:2", "config.yaml:4", "config.yaml:5"]


def test_faults_of_the_universe_file_come_with_its_own_lines(tmp_path: Path) -> None:
    lines = faults(tmp_path, "app: {mode: live}\n", universe="code,name,market\n5930,삼성전자,KOSPI\n")
    assert lines[0].startswith("config.yaml:1: app.mode: ")
    assert lines[1].startswith("universe.csv:2: code: '5930' is malformed")


def test_a_check_that_rests_on_a_faulty_key_stays_silent(tmp_path: Path) -> None:
    text = "kiwoom: {rate_limits: {orders_per_sec: six, reserve_order_tokens: 4}}\n"
    (line,) = faults(tmp_path, text)
    assert "'six' is not a whole number" in line


def test_a_secret_in_the_file_is_never_repeated(tmp_path: Path) -> None:
    text = "alerts: {slack: {webhook: 'https://hooks.slack.com/SECRET'}}\nkiwoom: {account: '12345678901'}\n"
    told = "\n".join(faults(tmp_path, text, "alerts.slack.webhook=https://hooks.slack.com/SECRET", "SECRET"))
    assert "SECRET" not in told.replace("SLACK_WEBHOOK_URL", "")
    assert "12345678901" not in told


def test_a_missing_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors) as caught:
        load(tmp_path / "none.yaml")
    (line,) = caught.value.lines
    assert line.startswith(f"{tmp_path / 'none.yaml'}: the file does not exist; allowed: ")


@pytest.mark.parametrize("path", [".", "bad\0name.yaml"])
def test_what_is_no_file_is_one_clear_line(path: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        load(path)
    assert len(caught.value.lines) == 1
    assert "the file cannot be read" in caught.value.lines[0]


def test_a_file_that_is_too_large_is_one_clear_line(tmp_path: Path) -> None:
    (line,) = faults(tmp_path, b"# " + b"x" * 1_000_001)
    assert "the file is larger than 1,000,000 bytes" in line


def test_bytes_of_no_known_encoding_are_one_clear_line(tmp_path: Path) -> None:
    (line,) = faults(tmp_path, b"app: \xff\xff\xff")
    assert "neither UTF-8 nor CP949" in line


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
def test_a_file_in_any_encoding_of_a_korean_pc_is_read(tmp_path: Path, encoding: str) -> None:
    path = written(tmp_path, "# 설정\nkiwoom: {server: 실서버}\n".encode(encoding))
    assert load(path).config.kiwoom.server == "real"


def test_values_are_read_as_they_are_meant_not_as_yaml_guesses(tmp_path: Path) -> None:
    text = (
        "sessions: {overlap_window: {start: 10:00, end: 15:19:50}}\n"
        "symbols: {per_symbol_overrides: {000660: {hedge_ioc_only: yes}}}\n"
        "paper: {holdings: {000660: 7}}\n"
        "kiwoom: {screen_numbers: {marketdata: [0101], orders: 0102}, account: 0123456789}\n"
        "fees: {round_down_to_krw: {per: day}}\n"
    )
    found = loaded(tmp_path, text)
    assert str(found.config.sessions.overlap_window.end) == "15:19:50"
    assert found.config.hedge_ioc_only_for("000660")
    assert found.paper_holdings == {"000660": 7}
    assert found.config.kiwoom.screen_numbers.marketdata == ("0101",)
    assert found.config.kiwoom.screen_numbers.orders == ("0102",)
    assert found.config.kiwoom.account == "0123456789"
    assert found.config.fees.round_down_to_krw.per is Rounding.DAY


def test_free_maps_get_natural_types_and_keep_quoted_text(tmp_path: Path) -> None:
    found = loaded(tmp_path, "paper: {faults: {a: 1, b: 0.5, c: true, d: '1', e: , f: [x, 2], g: {h: 007}}}\n")
    assert found.config.paper.faults == {
        "a": 1, "b": 0.5, "c": True, "d": "1", "e": None, "f": ["x", 2], "g": {"h": "007"},
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "# nothing\n", "app:\nrisk: ~\nsymbols: {exclude: , per_symbol_overrides: }\n"])
def test_what_is_left_empty_is_at_its_default(tmp_path: Path, text: str) -> None:
    assert loaded(tmp_path, text).config == Config()


def test_without_a_file_everything_is_default_with_the_shipped_universe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = load(None, (), {})
    assert found.config == Config()
    assert set(found.origins.values()) == {"default"}
    assert found.universe_path == SHIPPED / "universe.csv"
    assert found.reports_dir == tmp_path / "runs"


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("", encoding="utf-8")
    found = loaded(tmp_path, "persistence: {logs_dir: l, reports_dir: ../r}\npaper: {scenario: ./mine.yaml}\n")
    assert found.logs_dir == tmp_path / "l"
    assert found.reports_dir == tmp_path.parent / "r"
    assert found.scenario_path == tmp_path / "mine.yaml"
    assert loaded(tmp_path, "").scenario_path == SHIPPED / "scenarios" / "dislocations.yaml"


# --set


def test_an_option_is_stronger_than_the_file_and_says_so(tmp_path: Path) -> None:
    found = loaded(
        tmp_path,
        "spread_engine:\n  cooldown_ms: 100\n",
        "spread_engine.cooldown_ms=0",
        "execution.max_concurrent_symbols=1",
        "symbols.per_symbol_overrides.005930.t_hedge_ms=800",
        "symbols.exclude=[247540]",
        "sessions.overlap_window.end=15:10:00",
    )
    assert found.config.spread_engine.cooldown_ms == 0
    assert found.config.t_hedge_ms_for("005930") == 800
    assert [entry.symbol for entry in found.traded] == ["005930", "000660"]
    assert found.origins["spread_engine.cooldown_ms"] == "--set"
    assert found.origins["symbols.per_symbol_overrides.005930.t_hedge_ms"] == "--set"
    assert found.origins["symbols.exclude"] == "--set"
    assert found.origins["risk.daily_loss_limit_krw"] == "default"


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("cooldown", "--set: not of the form key.path=value"),
        ("=5", "--set: not of the form key.path=value"),
        ("a..b=5", "--set: not of the form key.path=value"),
        (
            "spread_engine.cooldown=5",
            "--set: spread_engine.cooldown: unknown key; the nearest known one is cooldown_ms",
        ),
        ("spread_engine=5", "--set: spread_engine: is not a map"),
        ("spread_engine.cooldown_ms=x", "--set: spread_engine.cooldown_ms: 'x' is not a whole number"),
        ("spread_engine.cooldown_ms.x=1", "--set: spread_engine.cooldown_ms: is not a single value"),
        ("symbols.exclude=[", "--set: symbols.exclude: not YAML: "),
        ("symbols.exclude={a: 1, a: 2}", "--set: symbols.exclude: not a value"),
        ("app.mode=real", "--set: kiwoom.account: real mode trades only the account"),
    ],
)
def test_a_bad_option_is_told_as_such(tmp_path: Path, option: str, expected: str) -> None:
    (line,) = faults(tmp_path, "", option)
    assert line.startswith(expected)


def test_a_running_configuration_can_be_changed_without_reading_the_file_again(tmp_path: Path) -> None:
    found = loaded(tmp_path, "spread_engine: {cooldown_ms: 100}\n", "paper.seed=7")
    (tmp_path / "config.yaml").write_text("app: {mode: broken}\n", encoding="utf-8")
    changed = found.changed(["spread_engine.cooldown_ms=50"])
    assert changed.config.spread_engine.cooldown_ms == 50
    assert changed.config.paper.seed == 7
    assert found.config.spread_engine.cooldown_ms == 100
    with pytest.raises(ConfigErrors):
        found.changed(["spread_engine.cooldown_ms=-1"])


# aliases


@pytest.mark.parametrize(
    ("text", "sets", "origins"),
    [
        ("router: {fallback_after_ms: 800}\n", (), ("config.yaml:1", "alias of router.fallback_after_ms")),
        ("execution: {t_hedge_ms: 800}\n", (), ("alias of execution.t_hedge_ms", "config.yaml:1")),
        ("execution: {t_hedge_ms: 800}\nrouter: {fallback_after_ms: 800}\n", (), ("config.yaml:2", "config.yaml:1")),
        (
            "execution: {t_hedge_ms: 9000}\n",
            ("router.fallback_after_ms=800",),
            ("--set", "alias of router.fallback_after_ms"),
        ),
        (
            "router: {fallback_after_ms: 9000}\n",
            ("execution.t_hedge_ms=800",),
            ("alias of execution.t_hedge_ms", "--set"),
        ),
        ("router:\n", ("execution.t_hedge_ms=800",), ("alias of execution.t_hedge_ms", "--set")),
    ],
)
def test_one_name_of_a_setting_fills_the_other(
    tmp_path: Path, text: str, sets: tuple[str, ...], origins: tuple[str, str]
) -> None:
    found = loaded(tmp_path, text, *sets)
    assert found.config.execution.t_hedge_ms == found.config.router.fallback_after_ms == 800
    names = ("router.fallback_after_ms", "execution.t_hedge_ms")
    assert tuple(found.origins[name].removeprefix(str(tmp_path)).lstrip("/\\") for name in names) == origins


def test_the_broker_limits_have_a_second_name_each(tmp_path: Path) -> None:
    text = "throttling: {orders_bucket_per_sec: 4, queries_bucket_per_sec: 3}\n"
    found = loaded(tmp_path, text).config
    assert found.orders_per_sec == 4
    assert found.kiwoom.rate_limits.queries_per_sec == 3


def test_a_bad_alias_is_told_once_under_the_name_that_was_written(tmp_path: Path) -> None:
    (line,) = faults(tmp_path, "router: {fallback_after_ms: soon}\n")
    assert line.startswith("config.yaml:1: router.fallback_after_ms: 'soon' is not a whole number")


# what follows from the universe


def test_shards_and_screens_follow_from_the_universe(tmp_path: Path) -> None:
    universe = "code,name,market\n" + "".join(f"{code:06d},회사,KOSPI\n" for code in range(10, 111))
    path = written(tmp_path, "", universe)
    assert load(path).marketdata_screens == ("1001", "1002", "1003")
    assert load(path, ["market_data.shards=4"]).marketdata_screens == ("1001", "1002", "1003", "1004")
    with pytest.raises(
        ConfigErrors, match="2 is too small for 101 symbols at 50 a shard; allowed: auto, or at least 3"
    ):
        load(path, ["market_data.shards=2"])
    with pytest.raises(ConfigErrors, match="1 screens are too few for 3 shards"):
        load(path, ["kiwoom.screen_numbers.marketdata=[1001]"])


def test_paper_starts_with_shares_of_every_second_symbol_unless_told(tmp_path: Path) -> None:
    assert loaded(tmp_path, "").paper_holdings == {"005930": 20, "247540": 20}
    assert loaded(tmp_path, "paper: {base_quantity: 5}\n").paper_holdings == {"005930": 5, "247540": 5}
    assert loaded(tmp_path, "paper: {base_quantity: 0}\n").paper_holdings == {}
    assert loaded(tmp_path, "paper: {holdings: {000660: 3}}\n").paper_holdings == {"000660": 3}


def test_the_heartbeat_is_the_first_two_symbols_unless_told(tmp_path: Path) -> None:
    assert loaded(tmp_path, "symbols: {exclude: ['005930']}\n").heartbeat_symbols == ("000660", "247540")
    assert loaded(tmp_path, "market_data: {heartbeat_symbols: [247540]}\n").heartbeat_symbols == ("247540",)


# environment and warnings


def test_the_webhook_is_looked_up_only_when_it_is_used(tmp_path: Path) -> None:
    found = loaded(tmp_path, "", environ={"SLACK_WEBHOOK_URL": "https://hooks.slack.com/SECRET"})
    assert found.slack_webhook() == "https://hooks.slack.com/SECRET"
    assert "SECRET" not in repr(found)
    assert found.warnings == ()
    assert loaded(tmp_path, "alerts: {slack: {webhook: ''}}\n").slack_webhook() == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "alerts.slack.webhook: the variable SLACK_WEBHOOK_URL is not set, so nothing is sent to Slack"),
        ("taxes: {enabled: false}\n", "taxes.enabled: "),
        ("symbols: {exclude: ['999999']}\n", "symbols.exclude: 999999 is not in the universe file"),
        ("sessions: {use_fid_215_signals: false}\n", "sessions.use_fid_215_signals: only the clock decides"),
    ],
)
def test_what_is_allowed_but_probably_not_meant_is_a_warning(tmp_path: Path, text: str, expected: str) -> None:
    assert any(warning.startswith(expected) for warning in loaded(tmp_path, text).warnings)


def test_a_paper_option_in_real_mode_is_a_warning_but_a_paper_section_in_the_file_is_not(tmp_path: Path) -> None:
    warning = "paper: has no effect in real mode"
    assert warning in loaded(tmp_path, REAL, "paper.seed=3").warnings
    assert warning not in loaded(tmp_path, REAL + "paper: {seed: 3}\n").warnings


def test_the_hash_is_of_the_values_in_force_not_of_the_file(tmp_path: Path) -> None:
    default = loaded(tmp_path, "").sha256
    assert loaded(tmp_path, "# a comment\nspread_engine: {cooldown_ms: 100}\n").sha256 == default
    assert loaded(tmp_path, "spread_engine: {cooldown_ms: 99}\n").sha256 != default
