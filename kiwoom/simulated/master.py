"""Login and master data of the simulated broker: what the control answers without asking for an event.

Forms and tags of KIWOOM.md 1.3. Every listing is an ordinary share unless `MasterNotes` says otherwise for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from kiwoom.simulated.market import Listing


@dataclass(frozen=True, slots=True)
class MasterNotes:
    """What is special about one share."""

    state: str = "증거금20%|담보대출|신용가능"
    """GetMasterStockState, "|"-separated; "거래정지" and "관리종목" are of interest."""
    construction: str = "정상"
    """GetMasterConstruction: 정상 / 투자주의 / 투자경고 / 투자위험 / 투자주의환기종목."""
    warning: str = "0"
    """IsOrderWarningStock: 0 none, 2 정리매매, 3 단기과열, 4 투자위험, 5 투자경고."""


class Master:
    """Answers by listing. Unknown codes, tags and functions are answered with "", as the control does."""

    def __init__(
        self, listings: Mapping[str, Listing], notes: Mapping[str, MasterNotes], account_no: str, server: str
    ) -> None:
        self._listings = listings
        self._notes = notes
        self._server = server
        self._login = {
            "ACCOUNT_CNT": "1",
            "ACCLIST": f"{account_no};",
            "ACCNO": f"{account_no};",
            "USER_ID": "simulated",
            "USER_NAME": "시뮬레이션",
            "GetServerGubun": server,
            "KEY_BSECGB": "0",
            "FIREW_SECGB": "0",
        }

    def login_info(self, tag: str) -> str:
        return self._login.get(tag, "")

    def codes_by_market(self, market: str) -> str:
        """GetCodeListByMarket: "0" KOSPI, "10" KOSDAQ, "NXT"; ';' after each code."""
        listings = self._listings.values()
        match market:
            case "0":
                codes = [listing.symbol for listing in listings if listing.market == "KOSPI"]
            case "10":
                codes = [listing.symbol for listing in listings if listing.market == "KOSDAQ"]
            case "NXT":
                codes = [listing.symbol for listing in listings if listing.nxt]
            case _:
                codes = []
        return "".join(f"{code};" for code in sorted(codes))

    def of_code(self, method: str, code: str) -> str:
        """GetMasterCodeName, GetMasterLastPrice, GetMasterStockState, GetMasterConstruction."""
        listing = self._listings.get(code)
        if listing is None:
            return ""
        notes = self._notes.get(code, MasterNotes())
        match method:
            case "GetMasterCodeName":
                return listing.name
            case "GetMasterLastPrice":
                return f"{listing.base_price:08d}"
            case "GetMasterStockState":
                return notes.state
            case "GetMasterConstruction":
                return notes.construction
            case _:
                return ""

    def function(self, name: str, parameter: str) -> str:
        """KOA_Functions. The account window needs no answer here: the simulated account has no password."""
        match name:
            case "GetServerGubun":
                return self._server
            case "IsOrderWarningStock":
                return self._notes.get(parameter, MasterNotes()).warning if parameter in self._listings else ""
            case "GetMasterStockInfo":
                listing = self._listings.get(parameter)
                if listing is None:
                    return ""
                board = {"KOSPI": "거래소", "KOSDAQ": "코스닥"}[listing.market]
                return f"시장구분0|{board};시장구분1|;업종구분|;"
            case _:
                return ""
