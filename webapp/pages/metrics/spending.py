"""Numbers of reports about spending less: search, estimate, routing."""

from __future__ import annotations

from webapp.pages.metrics.base import ARXIV, Metric

SPENDING = (
    Metric(
        "found-best",
        ("Best found", "Named the best, %"),
        "In how many of the replays the method ended with the truly best contender. Nothing is evaluated anew: the "
        "stored scores are asked in another order.",
        "#{replays that name the best} / #{replays}",
        "On Speeding Up Language Model Evaluation, arXiv 2407.06172",
        "spending-less#search",
        f"{ARXIV}2407.06172",
    ),
    Metric(
        "shortfall",
        ("Shortfall",),
        "How far the contender that was found lies behind the best one, on average. A method that errs between equals "
        "has a small shortfall.",
        "mean over replays of (best mean − mean of the one found)",
        "On Speeding Up Language Model Evaluation, arXiv 2407.06172",
        "spending-less#search",
        f"{ARXIV}2407.06172",
    ),
    Metric(
        "estimate-error",
        ("Error",),
        "How far an estimate from few samples lies from the mean over all of them, on average over the replays. "
        "“Random” is the same with as many samples drawn evenly.",
        "mean over replays of |estimate − mean|",
        "How Benchmark Prediction from Fewer Data Misses the Mark, arXiv 2506.07673",
        "spending-less#estimate",
        f"{ARXIV}2506.07673",
    ),
    Metric(
        "coverage",
        ("Coverage",),
        "The share of the replays whose interval holds the true mean. It should be close to the confidence level; less "
        "means that the intervals promise too much.",
        "#{intervals with the mean inside} / #{replays}",
        "Active Testing, arXiv 2103.05331",
        "spending-less#estimate",
        f"{ARXIV}2103.05331",
    ),
    Metric(
        "aiq",
        ("AIQ", "AIQ, %"),
        "The mean quality under the hull of cost and quality, between the cheapest and the dearest contender. A router "
        "with a higher one gives more for the money over the whole range.",
        "AIQ = 1/(c_max − c_min) ∫ hull(c) dc",
        "RouterBench, arXiv 2403.12031",
        "spending-less#routing",
        f"{ARXIV}2403.12031",
    ),
    Metric(
        "oracle",
        ("Oracle",),
        "What always asking the best contender of each sample, and the cheapest among equals, would give. No router "
        "can do better; how close one comes is what there is to gain.",
        "mean over samples of max score, at the least cost among them",
        "RouterBench, arXiv 2403.12031",
        "spending-less#routing",
        f"{ARXIV}2403.12031",
    ),
    Metric(
        "apgr",
        ("APGR",),
        "How much of the gap between a weak and a strong contender a router closes, averaged over all shares of calls "
        "to the strong one. Random routing gives one half.",
        "APGR = ∫ (quality(s) − weak) / (strong − weak) ds, s from 0 to 1",
        "RouteLLM, arXiv 2406.18665",
        "spending-less#routing",
        f"{ARXIV}2406.18665",
    ),
    Metric(
        "cpt",
        ("CPT 20", "CPT 50", "CPT 80"),
        "The least share of calls to the strong contender that closes so many per cent of the gap. The lower, the more "
        "a router saves at that quality.",
        "CPT(x) = least s with PGR(s) ≥ x",
        "RouteLLM, arXiv 2406.18665",
        "spending-less#routing",
        f"{ARXIV}2406.18665",
    ),
)
