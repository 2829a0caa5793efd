"""How one written value becomes a typed one: whole numbers, rates, times, codes, screens.

Every parser takes the text as it stands in the file, so that nothing passes through a float, a zero at the front of a
code is kept, and 09:00:32 is a time whether quoted or not. A value that does not fit raises ValueError with what is
wrong in words; what is allowed is said by the key (config.schema), once for file, desk and documentation.
"""

import re
from datetime import date, time
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import BeforeValidator

from kiwoom.fees import PPB_PER_BPS
from kiwoom.market import SECOND

RATE_DECIMALS_MAX: Final = 5
"""One part per billion is the fifth decimal of a basis point; finer rates do not exist here."""

_WHOLE: Final = re.compile(r"-?\d{1,18}|-?\d{1,3}(_\d{3}){1,5}")
_DECIMAL: Final = re.compile(r"\d{1,9}(\.\d{1,18})?")
_TIME: Final = re.compile(r"(\d\d):(\d\d)(?::(\d\d))?")
_CODE: Final = re.compile(r"[0-9]{6}")
_ACCOUNT: Final = re.compile(r"[0-9]{10}")
_SCREEN: Final = re.compile(r"[0-9]{4}")
_ENVIRONMENT_REFERENCE: Final = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")


class PlainScalar(str):
    """A value written without quotes: its type is not yet decided. Quoted text is a plain `str`."""

    __slots__ = ()


def as_text(value: object) -> str:
    if isinstance(value, str):
        return str(value)
    raise ValueError("is not a single value")


def parse_whole(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = as_text(value)
    if not text:
        raise ValueError("has no value")
    if not (text.isascii() and _WHOLE.fullmatch(text)):
        raise ValueError(f"{shown(text)} is not a whole number")
    return int(text.replace("_", ""))


def parse_switch(value: object) -> bool:
    if isinstance(value, bool):
        return value
    match as_text(value).lower():
        case "true" | "yes" | "on":
            return True
        case "false" | "no" | "off":
            return False
        case "":
            raise ValueError("has no value")
        case text:
            raise ValueError(f"{shown(text)} is neither true nor false")


def parse_decimal(value: object) -> Decimal:
    if isinstance(value, Decimal):
        return value
    text = as_text(value)
    if not text:
        raise ValueError("has no value")
    if not (text.isascii() and _DECIMAL.fullmatch(text)):
        raise ValueError(f"{shown(text)} is not a decimal number of zero or more")
    return Decimal(text)


def parse_rate(value: object) -> Decimal:
    """A rate in basis points that is a whole number of parts per billion."""
    rate = parse_decimal(value)
    if rate * PPB_PER_BPS % 1:
        raise ValueError(f"{rate} has more than {RATE_DECIMALS_MAX} decimals")
    return rate


def parse_half_ticks(value: object) -> Decimal:
    ticks = parse_decimal(value)
    if ticks * 2 % 1:
        raise ValueError(f"{ticks} is not a multiple of 0.5")
    return ticks


def parse_time(value: object) -> time:
    if isinstance(value, time):
        return value
    text = as_text(value)
    match = _TIME.fullmatch(text)
    if not (text.isascii() and match):
        raise ValueError(f"{shown(text)} is not a time of day")
    hour, minute, second = (int(part or 0) for part in match.groups())
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError(f"{shown(text)} is not a time of day")
    return time(hour, minute, second)


def parse_date(value: object) -> date:
    if isinstance(value, date):
        return value
    text = as_text(value)
    try:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{shown(text)} is not a date") from None


def parse_code(value: object) -> str:
    text = as_text(value)
    if not _CODE.fullmatch(text):
        raise ValueError(f"{shown(text)} is not a 6-digit code")
    return text


def parse_screen(value: object) -> str:
    text = as_text(value)
    if not _SCREEN.fullmatch(text) or text == "0000":
        raise ValueError(f"{shown(text)} is not a screen number")
    return text


def parse_secret_reference(value: object) -> str:
    """The name of an environment variable as ${NAME}, or nothing. The text is never repeated: it may be the secret."""
    text = as_text(value)
    if text and not _ENVIRONMENT_REFERENCE.fullmatch(text):
        raise ValueError("a secret never stands in the configuration")
    return text


def parse_account(value: object) -> str:
    """Never repeated in a message: a mistyped account number is nearly one."""
    text = as_text(value)
    if text and not _ACCOUNT.fullmatch(text):
        raise ValueError("is not an account number")
    return text


def parse_list(value: object) -> object:
    if isinstance(value, list | tuple):
        return value
    if value == "":
        return ()
    raise ValueError("is not a list")


def parse_one_or_list(value: object) -> object:
    return (value,) if isinstance(value, str) and value else parse_list(value)


def parse_map(value: object) -> object:
    if isinstance(value, dict):
        return value
    if value == "":
        return {}
    raise ValueError("is not a map of keys to values")


def parse_free(value: object) -> Any:
    """A value whose meaning is known elsewhere: unquoted true, 12, 0.5 and nothing get their natural type."""
    match value:
        case dict():
            return {str(key): parse_free(item) for key, item in value.items()}
        case list() | tuple():
            return [parse_free(item) for item in value]
        case PlainScalar():
            return _natural(str(value))
        case _:
            return value


def _natural(text: str) -> str | int | float | bool | None:
    if text in ("", "~", "null"):
        return None
    if text in ("true", "false"):
        return text == "true"
    if text.isascii() and re.fullmatch(r"-?(0|[1-9]\d{0,17}|[1-9]\d{0,2}(_\d{3}){1,5})", text):
        return int(text.replace("_", ""))
    if text.isascii() and re.fullmatch(r"-?\d{1,15}\.\d{1,15}", text):
        return float(text)
    return text


def parse_free_map(value: object) -> object:
    return parse_free(parse_map(value))


def shown(text: str) -> str:
    """The text as a message quotes it: one line, not endless."""
    return repr(text if len(text) <= 60 else text[:57] + "...")


def ppb(rate_bps: Decimal) -> int:
    """Parts per billion of a rate in basis points, exact (1 bp = 100,000 ppb)."""
    exact = rate_bps * PPB_PER_BPS
    assert exact % 1 == 0, rate_bps
    return int(exact)


def half_ticks(ticks: Decimal) -> int:
    doubled = ticks * 2
    assert doubled % 1 == 0, ticks
    return int(doubled)


def ns_of_day(moment: time) -> int:
    """Nanoseconds since midnight."""
    return (moment.hour * 3_600 + moment.minute * 60 + moment.second) * SECOND


Text = Annotated[str, BeforeValidator(as_text)]
Whole = Annotated[int, BeforeValidator(parse_whole)]
Switch = Annotated[bool, BeforeValidator(parse_switch)]
Fraction = Annotated[Decimal, BeforeValidator(parse_decimal)]
Rate = Annotated[Decimal, BeforeValidator(parse_rate)]
HalfTicks = Annotated[Decimal, BeforeValidator(parse_half_ticks)]
TimeOfDay = Annotated[time, BeforeValidator(parse_time)]
Day = Annotated[date, BeforeValidator(parse_date)]
Code = Annotated[str, BeforeValidator(parse_code)]
Screen = Annotated[str, BeforeValidator(parse_screen)]
SecretReference = Annotated[str, BeforeValidator(parse_secret_reference)]
Account = Annotated[str, BeforeValidator(parse_account)]
FreeMap = Annotated[dict[str, Any], BeforeValidator(parse_free_map)]
