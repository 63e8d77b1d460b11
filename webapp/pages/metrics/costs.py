"""Numbers of cost-of-pass reports."""

from __future__ import annotations

from webapp.pages.metrics.base import ARXIV, Metric

PAPER = "Cost-of-Pass, arXiv 2504.13359"
LINK = f"{ARXIV}2504.13359"

COSTS = (
    Metric(
        "frontier-value",
        ("Frontier value V", "V"),
        "What a correct answer costs when the cheapest way is taken on each sample: any contender, or the expert where "
        "none is cheaper. It is a mean of minima, so it falls with every contender that is good at something.",
        "V = mean over samples of min(expert, min over contenders of cost / correctness)",
        PAPER,
        "cost-of-pass#the-frontier",
        LINK,
    ),
    Metric(
        "value-with-expert",
        ("V with the expert",),
        "What a sample costs with one contender alone, when the expert steps in where it never passes or is dearer. "
        "Compare it with the expert alone: the difference is what the contender is worth.",
        "mean over samples of min(expert, mean cost / mean correctness)",
        PAPER,
        "cost-of-pass#the-frontier",
        LINK,
    ),
    Metric(
        "expert-alone",
        ("The expert alone",),
        "What a sample costs when a human expert answers all of them. Each benchmark says what an expert asks; a "
        "report may set one number for all.",
        "mean over samples of the expert’s cost",
        PAPER,
        "cost-of-pass#the-expert",
        LINK,
    ),
    Metric(
        "value-without-expert",
        ("V without the expert",),
        "The same mean of minima with contenders only. One sample that nobody passes makes it infinite, which is why "
        "the expert is part of V.",
        "mean over samples of min over contenders of cost / correctness",
        PAPER,
        "cost-of-pass#the-expert",
        LINK,
    ),
    Metric(
        "gain",
        ("Gain over the expert", "Gain, %"),
        "What all contenders together save against the expert alone; for a technique, what it saves against single "
        "answers. It is told in dollars a sample and in per cent.",
        "(V before − V after) / V before",
        PAPER,
        "cost-of-pass#progress",
        LINK,
    ),
    Metric(
        "unsolved",
        ("Unsolved", "Unsolved, %"),
        "The share of samples that were never passed, by this contender or by anybody. With one attempt a sample, bad "
        "luck looks the same as inability.",
        "#{samples without a pass} / n",
        PAPER,
        "cost-of-pass#two-numbers",
        LINK,
    ),
    Metric(
        "holds",
        ("Holds",),
        "On how many samples nobody, the expert included, is cheaper than this contender. Ties count for each; “alone” "
        "leaves them out.",
        "#{samples where cost-of-pass is the least}",
        PAPER,
        "cost-of-pass#the-frontier",
        LINK,
    ),
    Metric(
        "essentialness",
        ("Essential, %",),
        "By how much V would rise if this contender, or a whole family, were gone. Two equal contenders are each "
        "dispensable, so both may show 0.",
        "(V without it − V) / V without it",
        PAPER,
        "cost-of-pass#progress",
        LINK,
    ),
    Metric(
        "accuracy",
        ("Accuracy, %", "Accuracy, % interval"),
        "The mean score over the samples, in per cent, with its interval. Every sample weighs the same, so a benchmark "
        "with more samples weighs more.",
        "Σ score / n",
        "Mean over samples",
        "boards#cells",
    ),
)
