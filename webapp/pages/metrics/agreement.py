"""Numbers of predictive multiplicity: by answers, by probabilities, and of linear audits."""

from __future__ import annotations

from webapp.pages.metrics.base import ARXIV, Metric

PAPER = "Predictive Multiplicity in Probabilistic Classification, arXiv 2206.01131"
LINK = f"{ARXIV}2206.01131"

AGREEMENT = (
    Metric(
        "ambiguity",
        ("Ambiguity", "Ambiguity, %"),
        "The share of samples on which at least one contender of the level set answers otherwise than the baseline. "
        "All of them count as equally good, so on these samples the choice among them decides the answer.",
        "(1/n) Σ 1[some competitor ≠ baseline];  by probabilities: moved by δ or more",
        PAPER,
        "multiplicity#ambiguity-and-discrepancy",
        LINK,
    ),
    Metric(
        "discrepancy",
        ("Discrepancy",),
        "The largest share of samples that a single contender of the level set answers otherwise. It is what swapping "
        "the baseline for one equally good contender can change at most.",
        "max over competitors of (1/n) Σ 1[competitor ≠ baseline]",
        PAPER,
        "multiplicity#ambiguity-and-discrepancy",
        LINK,
    ),
    Metric(
        "level-set",
        ("Level set", "Deficit"),
        "The contenders that are at most ε worse than the baseline. Each deficit has a paired 95 % interval, so a "
        "contender can be surely in, surely out, or undecided.",
        "{contenders: metric(baseline) − metric ≤ ε}",
        PAPER,
        "multiplicity#level-set",
        LINK,
    ),
    Metric(
        "obscurity",
        ("Obscurity",),
        "The mean, over the competitors, of the share of answers that flip. Ambiguity asks for any of them, obscurity "
        "for a typical one.",
        "mean over competitors of (1/n) Σ 1[competitor ≠ baseline]",
        PAPER,
        "multiplicity#ambiguity-and-discrepancy",
        LINK,
    ),
    Metric(
        "disagreement",
        ("Mean disagreement",),
        "The mean share of samples on which two contenders of the level set differ, over all their pairs. No contender "
        "is the baseline here.",
        "mean over pairs of (1/n) Σ 1[a ≠ b]",
        "Pairwise disagreement of an ensemble",
        "multiplicity#agreement",
    ),
    Metric(
        "kappa",
        ("Kappa", "Fleiss’ kappa"),
        "Agreement beyond what the same answers in random order would give: 1 is full agreement, 0 is chance. Cohen’s "
        "is for a contender and the baseline, Fleiss’ for the whole level set.",
        "κ = (agreed − chance) / (1 − chance)",
        "Cohen (1960); Fleiss (1971)",
        "multiplicity#agreement",
    ),
    Metric(
        "excess-agreement",
        ("Excess agreement",),
        "Agreement with the baseline beyond that of two contenders that are as accurate and err independently. Much of "
        "it says that they fail on the same samples.",
        "agreement − expected agreement of independent errors",
        "Agreement beyond independent errors",
        "multiplicity#agreement",
    ),
    Metric(
        "viable-range",
        ("Range", "Mean width", "Rows with the widest ranges"),
        "The least and the largest probability that any equally good model gives to a row. A range across one half "
        "leaves the decision open.",
        "[min, max] of p(x) over all models with loss ≤ best + ε",
        PAPER,
        "linear-audits#viable-ranges",
        LINK,
    ),
    Metric(
        "certificate",
        ("Certificate gap",),
        "How much wider any viable range could be than the one shown, in logits. It is proved by an upper bound, not "
        "estimated.",
        "upper bound − range found",
        PAPER,
        "linear-audits#proof",
        LINK,
    ),
)
