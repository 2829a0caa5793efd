"""What the master data say of a share: whether it trades, whether buying it would block the control (KIWOOM.md 1.2)."""

from typing import Final

_HALTED: Final = "거래정지"
_NO_WARNING: Final = ("", "0")


def is_halted(state: str) -> bool:
    """GetMasterStockState, several words joined by "|": the share does not trade today."""
    return _HALTED in state


def is_warned(warning: str) -> bool:
    """KOA_Functions("IsOrderWarningStock"): buying the share would pop up a dialog that blocks the control."""
    return warning not in _NO_WARNING
