"""Numbers of boards and tournaments. An order of boards has the key of its analysis."""

from __future__ import annotations

from webapp.pages.metrics.base import ARXIV, Metric

SWISS = "LLM Swiss Round, arXiv 2512.21010"
SWISS_LINK = f"{ARXIV}2512.21010"

BOARDS = (
    Metric(
        "score",
        ("Score",),
        "The mean over the samples of a benchmark, in per cent, with half of its 95 % interval. Where answers are "
        "right or wrong the interval is Wilson’s, for graded scores it is the normal one.",
        "x̄ = Σ xᵢ / n;  Wilson: (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n), z = 1.96",
        "Wilson, Probable inference, the law of succession, and statistical inference (1927)",
        "boards#cells",
    ),
    Metric(
        "rank",
        ("Rank", "Rank interval", "Best rank", "Worst rank"),
        "The places that the data allow: the best is one more than the contenders that are surely better, the worst "
        "leaves out those that are surely worse. Equal numbers belong to equals: 2–5 means that places 2 to 5 cannot "
        "be told apart.",
        "best = 1 + #{surely better},  worst = M − #{surely worse};  surely: McNemar or bootstrap, Holm over all pairs",
        "McNemar (1947); Holm, A Simple Sequentially Rejective Multiple Test Procedure (1979)",
        "boards#rank-intervals",
    ),
    Metric(
        "swiss",
        ("E[S]", "Expected points"),
        "The mean of a contender’s points over many Swiss-system tournaments in which each benchmark is a round. "
        "Contenders with equal points meet at random and the better score takes the point; the ± is the error of the "
        "simulation alone.",
        "E[S] = Σ points over tournaments / number of tournaments",
        SWISS,
        "tournament#expected-points",
        SWISS_LINK,
    ),
    Metric(
        "mean-score",
        ("Mean score",),
        "The plain mean of a contender’s scores over the benchmarks, each with the same weight. It exists only where "
        "all benchmarks are better in the same direction.",
        "(1/B) Σ score_b",
        "Arithmetic mean over benchmarks",
        "boards#orders",
    ),
    Metric(
        "mean-z-score",
        ("Mean z-score",),
        "On each benchmark, how far a contender stands from the mean of all, in standard deviations; then the mean "
        "over benchmarks. It depends on who else is on the board.",
        "(1/B) Σ (score_b − mean_b) / sd_b,  sd over the contenders of the board",
        "Standard scores within the field",
        "boards#orders",
    ),
    Metric(
        "win-rate",
        ("Mean win rate",),
        "The share of the other contenders that one beats on a benchmark, averaged over the benchmarks. A tie counts "
        "as half a win.",
        "(1/B) Σ (wins_b + ½ ties_b) / (M − 1)",
        "Holistic Evaluation of Language Models, arXiv 2211.09110",
        "boards#orders",
        f"{ARXIV}2211.09110",
    ),
    Metric(
        "bradley-terry",
        ("Bradley-Terry strength",),
        "The strength that explains best who beats whom on the benchmarks, in natural logarithms of odds with mean 0. "
        "It needs no order in time, which is why Elo ratings are not offered for score tables.",
        "P(a beats b) = 1 / (1 + exp(s_b − s_a)),  with a small penalty on s²",
        "Bradley and Terry, Rank Analysis of Incomplete Block Designs (1952)",
        "boards#orders",
    ),
    Metric(
        "cost",
        ("Cost", "Mean cost"),
        "What one attempt at one sample cost on average over the whole suite, in US dollars at the prices of its day. "
        "Where one cost is unknown there is no number, because unknown is not free.",
        "Σ cost of attempts / Σ attempts, all samples counting the same",
        "Prices kept with each run",
        "cost-of-pass#where-costs-come-from",
    ),
    Metric(
        "cost-per-pass",
        ("Cost per pass", "Aggregate cost per pass"),
        "All that a contender cost divided by all that it passed. It forgives samples that are never solved; V does "
        "not.",
        "Σ cost / Σ passes;  infinite without a pass",
        "Cost-of-Pass, arXiv 2504.13359",
        "cost-of-pass#two-numbers",
        f"{ARXIV}2504.13359",
    ),
    Metric(
        "drop",
        ("Drop",),
        "How many expected points a contender loses when the two lowest leave after every round. A generalist loses "
        "little, a specialist that fails somewhere loses much.",
        "drop = E[S; 2 leave] − E[S; 0 leave]",
        SWISS,
        "tournament#sensitivity-to-failure",
        SWISS_LINK,
    ),
    Metric(
        "order-spread",
        ("Order",),
        "How much E[S] depends on the order in which the benchmarks are played. It is measured over random orders, "
        "with the noise of the simulation taken out.",
        "sd over orders of E[S]",
        SWISS,
        "tournament#rounds-and-byes",
        SWISS_LINK,
    ),
    Metric(
        "first",
        ("First",),
        "The chance that a contender ends a tournament with the most points, alone or shared. Shares are counted for "
        "each of them, so a column may add up to more than 100 %.",
        "P(S = max S)",
        SWISS,
        "tournament#expected-points",
        SWISS_LINK,
    ),
    Metric(
        "byes",
        ("Byes", "Byes, n leave"),
        "How often a contender sits out because its group of equal points is odd. A bye gives no point, so many byes "
        "mean that the field is too small for so many rounds.",
        "mean number of byes in a tournament",
        SWISS,
        "tournament#rounds-and-byes",
        SWISS_LINK,
    ),
    Metric(
        "buchholz",
        ("Buchholz",),
        "The final points of all opponents that a contender met, added up. It says how strong the opposition was; it "
        "does not change the order.",
        "Σ final points of opponents",
        "Tie-break of Swiss-system chess tournaments",
        "tournament#crosstable",
    ),
    Metric(
        "sonneborn-berger",
        ("Sonneborn-Berger",),
        "The final points of the opponents that a contender beat, added up. A win over a strong opponent counts for "
        "more.",
        "Σ final points of beaten opponents",
        "Tie-break of chess tournaments",
        "tournament#crosstable",
    ),
)
