"""Days that broke a promise once, each with what it taught. They are run with the others, and must hold for ever."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Regression:
    seed: int
    faults: str
    taught: str


REGRESSIONS: tuple[Regression, ...] = (
    Regression(3, "reports", "the broker's costs may cover a fill that has not been told yet"),
    Regression(30, "reports", "a balance can overtake the acceptance that it already counts"),
    Regression(33, "reports", "of several prices an average alone does not tell the amount"),
    Regression(51, "reports", "attempts refused as uncovered must outlast a late word on the shares"),
    Regression(40, "all", "a halted symbol may cost all the attempts that a pair has"),
    Regression(34, "actors", "a list of holdings, older than the sale that followed it, let the shares be sold again"),
    Regression(59, "actors", "the same, for a Router started again while a pair was closing"),
    Regression(25, "machine", "a flat pair whose last word was lost had no slot any more, and was never ended"),
    Regression(71, "machine", "a pair whose entry was refused was forgotten with the word that it was over"),
    Regression(22, "machine", "a shard that had no quotes yet said that nothing could be traded, and a hedge waited"),
    Regression(9, "all", "after a restart the shares that the trader had bought by hand were taken for ours"),
    Regression(60, "all", "the shares that the trader had bought by hand were sold"),
    Regression(59, "all", "a line that was up was asked ever more rarely while shares were open"),
    Regression(2, "halts", "a VI that names no venue kept the hedge from the one that traded"),
    Regression(11, "halts", "rejections in a halt that nobody announced spent all the attempts"),
    Regression(108, "queries", "a list that lags leaves out an order that has filled: its fill was lost"),
    Regression(109, "queries", "the broker's fee for a fill not told yet was booked, and then that fill's as well"),
    Regression(
        111, "queries", "a sell never reported as accepted held its shares for ever; left open twice, booked twice"
    ),
    Regression(20, "halts", "an imbalance handed over and left open again is one, not two"),
    Regression(78, "all", "an order given up as lost came alive, and its hedge was sent against it"),
    Regression(31, "all", "the next order of the same terms was taken for one that had been given up as lost"),
    Regression(1031, "all", "a rescue in another slot did not know the hedge that its parent had left alive"),
)
