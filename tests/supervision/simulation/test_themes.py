"""Themes name rows, settings and faults that exist, and fall on the share of the days that they promise."""

from dataclasses import fields

from actors.domain.pair import PAIR_TRANSITIONS
from config.reader import load
from kiwoom.simulated.faults import BrokerKnobs, Faults, settings_from
from supervision.simulation.themes import PERCENT, THEMES, theme_of
from supervision.simulation.variety import varied


def test_a_theme_works_towards_rows_of_the_table() -> None:
    table = {f"{state.name} {trigger.name}" for state, trigger in PAIR_TRANSITIONS}
    assert all(set(theme.rows) <= table for theme in THEMES)


def test_a_theme_names_faults_and_settings_that_exist() -> None:
    known = {field.name for field in fields(Faults)}
    for theme in THEMES:
        assert set(theme.faults) <= known
        settings_from(Faults, theme.faults, "faults")
        settings_from(BrokerKnobs, theme.knobs, "broker")
        varied(load(None), 1, is_late=theme.is_late, themed=theme.settings)


def test_a_few_days_have_a_theme_and_every_theme_has_days() -> None:
    drawn = [theme_of(seed) for seed in range(2_000)]
    assert abs(sum(theme is not None for theme in drawn) - 20 * PERCENT) < 80
    assert all(drawn.count(theme) >= 20 for theme in THEMES)
