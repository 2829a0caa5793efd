"""Return codes of the control's calls and of OnEventConnect: what each means for us (KIWOOM.md 1.6)."""

from dataclasses import dataclass
from enum import Enum
from typing import Final


class ErrorClass(Enum):
    """What to do about a code."""

    NONE = "none"
    OVERLOAD = "overload"
    """Too many calls: wait, then the same call may be made again. The broker may have counted it."""
    LOGIN = "login"
    """Logging in failed: a person must look."""
    LINE = "line"
    """The connection is lost or cannot be made: connect again, then reconcile."""
    ACCOUNT = "account"
    """Account or its password: open the account window."""
    INPUT = "input"
    """The call itself was wrong: our mistake, repeating it cannot help."""
    LIMIT = "limit"
    """The order is larger than the broker allows."""
    FAILED = "failed"
    """It failed for a reason that the code does not tell; whether the server saw it is open."""
    UNKNOWN = "unknown"
    """A code that we do not know."""


@dataclass(frozen=True, slots=True)
class ReturnCode:
    code: int
    kind: ErrorClass
    korean: str
    english: str


_TABLE: Final = (
    (0, ErrorClass.NONE, "정상", "ok"),
    (-10, ErrorClass.FAILED, "실패", "failed"),
    (-11, ErrorClass.INPUT, "조건번호 없음", "no such condition number"),
    (-12, ErrorClass.INPUT, "조건번호와 조건식 불일치", "condition number and formula do not match"),
    (-13, ErrorClass.OVERLOAD, "조건검색 조회요청 초과", "too many condition queries"),
    (-14, ErrorClass.LIMIT, "실시간 조건검색 10개 초과", "more than 10 real-time conditions"),
    (-15, ErrorClass.INPUT, "거래소 구분값 오류", "wrong venue value"),
    (-16, ErrorClass.INPUT, "조건명 오류", "wrong condition name"),
    (-22, ErrorClass.FAILED, "전문 처리 실패", "the message could not be processed; the server may have dropped it"),
    (-100, ErrorClass.LOGIN, "사용자정보 교환 실패", "exchange of user information failed"),
    (-101, ErrorClass.LINE, "서버접속 실패", "no connection to the server"),
    (-102, ErrorClass.LOGIN, "버전처리 실패", "version update failed"),
    (-103, ErrorClass.LOGIN, "개인방화벽 실패", "personal firewall failed"),
    (-104, ErrorClass.LOGIN, "메모리보호 실패", "memory protection failed"),
    (-105, ErrorClass.INPUT, "함수입력값 오류", "wrong argument"),
    (-106, ErrorClass.LINE, "통신연결 종료", "connection closed"),
    (-107, ErrorClass.LOGIN, "보안모듈 오류", "security module failed"),
    (-108, ErrorClass.LOGIN, "공인인증 로그인 필요", "login with a certificate is needed"),
    (-200, ErrorClass.OVERLOAD, "시세조회 과부하", "too many queries (more than 5 a second)"),
    (-201, ErrorClass.INPUT, "전문작성 초기화 실패", "the request could not be begun"),
    (-202, ErrorClass.INPUT, "전문작성 입력값 오류", "wrong input of the request"),
    (-203, ErrorClass.INPUT, "전문작성 데이터 없음", "the request has no data"),
    (-204, ErrorClass.INPUT, "조회가능한 종목수 초과", "more than 100 symbols"),
    (-205, ErrorClass.FAILED, "데이터 수신 실패", "receiving data failed"),
    (-206, ErrorClass.INPUT, "조회가능한 FID수 초과", "more than 100 FIDs"),
    (-207, ErrorClass.FAILED, "실시간 해제 오류", "ending the real-time feed failed"),
    (-209, ErrorClass.OVERLOAD, "시세조회제한", "queries are restricted"),
    (-211, ErrorClass.OVERLOAD, "계좌조회 과부하", "too many account queries"),
    (-300, ErrorClass.INPUT, "입력값 오류", "wrong order input"),
    (-301, ErrorClass.ACCOUNT, "계좌 비밀번호 없음", "no account password"),
    (-302, ErrorClass.ACCOUNT, "타인계좌 사용오류", "another person's account"),
    (-303, ErrorClass.LIMIT, "주문가격 20억원 초과", "order above 2,000,000,000 won"),
    (-304, ErrorClass.LIMIT, "주문가격 50억원 초과", "order above 5,000,000,000 won"),
    (-305, ErrorClass.LIMIT, "주문수량 총발행주수 1% 초과", "order above 1 % of the issued shares"),
    (-306, ErrorClass.LIMIT, "주문수량 총발행주수 3% 초과", "order above 3 % of the issued shares"),
    (-307, ErrorClass.FAILED, "주문전송 실패", "the order could not be sent"),
    (-308, ErrorClass.OVERLOAD, "주문전송 과부하", "too many orders (more than 5 a second)"),
    (-309, ErrorClass.LIMIT, "주문수량 300계약 초과", "order above 300 contracts"),
    (-310, ErrorClass.LIMIT, "주문수량 500계약 초과", "order above 500 contracts"),
    (-311, ErrorClass.OVERLOAD, "주문전송제한 과부하", "sending of orders is restricted"),
    (-340, ErrorClass.ACCOUNT, "계좌정보 없음", "no account information"),
    (-500, ErrorClass.INPUT, "종목코드 없음", "no such symbol"),
)

RETURN_CODES: Final = {row[0]: ReturnCode(*row) for row in _TABLE}

OK: Final = 0
QUERY_OVERLOAD: Final = -200
ORDER_OVERLOAD: Final = -308


def is_overload(code: int) -> bool:
    """True if the same call may be made again later; the broker may have counted this one all the same."""
    return describe(code).kind is ErrorClass.OVERLOAD


def describe(code: int) -> ReturnCode:
    """What a code means; of a code that is not in the table, that it is unknown."""
    known = RETURN_CODES.get(code)
    return known or ReturnCode(code, ErrorClass.UNKNOWN, "알 수 없는 코드", "unknown code")
