"""Numbers of comparisons: contenders side by side, schemes beside their reference, several attempts."""

from __future__ import annotations

from webapp.pages.metrics.base import ARXIV, Metric

COMPARING = (
    Metric(
        "difference",
        ("Difference",),
        "The first mean minus the second on the same samples, in points, with a paired 95 % interval. Pairing removes "
        "what both find easy or hard, so it needs far fewer samples than two separate means.",
        "d = (b − c) / n,  b and c: samples that only the first, or only the second, has right;  interval after Tango",
        "Tango (1998); Adding Error Bars to Evals, arXiv 2411.00640",
        "compare#differences",
        f"{ARXIV}2411.00640",
    ),
    Metric(
        "p-value",
        ("p", "p, Holm"),
        "How often a difference this large would come up if both were equally accurate. Holm’s version holds for all "
        "the comparisons shown together; graded scores use the paired bootstrap instead of McNemar’s exact test.",
        "p = min(1, 2 P[Binomial(b + c, ½) ≤ min(b, c)])",
        "McNemar (1947); Holm (1979)",
        "compare#differences",
    ),
    Metric(
        "answers-changed",
        ("Answers changed", "Other answers, %"),
        "The share of samples on which the two gave other answers, right or wrong. Accuracy can be equal while many "
        "answers change.",
        "#{samples with other answers} / n,  exact interval after Clopper and Pearson",
        "Accuracy is Not All You Need, arXiv 2407.09141",
        "quantisation#what-changes",
        f"{ARXIV}2407.09141",
    ),
    Metric(
        "equivalence",
        ("Equal",),
        "Two one-sided tests: a small p says that the difference is smaller than the margin that counts as equal. "
        "Without it, “not different” only means that too few samples were asked.",
        "p = max of the p of d ≥ margin and of d ≤ −margin",
        "Schuirmann, two one-sided tests (1987)",
        "compare#equal-within",
    ),
    Metric(
        "samples-needed",
        ("Samples", "How many samples would show it?"),
        "How many samples in all would show the difference that was seen, four times out of five, if it is real. A "
        "difference of nothing can never be shown.",
        "n = (z₀.₉₇₅ + z₀.₈)² (f − d²) / d²,  f: share of samples that flip",
        "Adding Error Bars to Evals, arXiv 2411.00640",
        "compare#how-many-samples",
        f"{ARXIV}2411.00640",
    ),
    Metric(
        "lost-won",
        ("Lost", "Won", "Wrong → wrong"),
        "Lost: right at the reference and wrong here; won: the other way round; the rest went from one wrong answer to "
        "another. Accuracy only shows won minus lost.",
        "accuracy difference = won − lost",
        "Accuracy is Not All You Need, arXiv 2407.09141",
        "quantisation#what-changes",
        f"{ARXIV}2407.09141",
    ),
    Metric(
        "kl",
        ("KL",),
        "How far the probabilities of the choices moved away from the reference’s, in nats, as mean and 95th "
        "percentile over samples. It sees change before an answer flips.",
        "KL = Σ p_ref log(p_ref / p)",
        "Accuracy is Not All You Need, arXiv 2407.09141",
        "quantisation#what-changes",
        f"{ARXIV}2407.09141",
    ),
    Metric(
        "bits",
        ("Bits", "Bits per weight"),
        "Nominal bits of a changed weight, scales included. What the worker really held stands beside it, because an "
        "emulated format takes as much memory as its reference.",
        "bits of all codes and scales / number of weights",
        "Definition of the format",
        "quantisation#what-it-takes",
    ),
    Metric(
        "latency",
        ("Latency", "Latency p50"),
        "The time from asking to the whole answer; of a batch, the time of the batch. Compare it within one kind of "
        "device only.",
        "median and 95th percentile over attempts",
        "Measured by the worker",
        "cost-of-pass#efficiency",
    ),
    Metric(
        "tokens-per-second",
        ("Tokens per second", "Speed of an answer"),
        "How fast an answer grows: the slope of latency over its tokens, so that the wait before the first token does "
        "not count. It takes requests that were answered one by one.",
        "1 / slope of latency over tokens written",
        "Least squares over the stored attempts",
        "cost-of-pass#efficiency",
    ),
    Metric(
        "throughput",
        ("Throughput", "Tokens a second"),
        "Tokens written per second while the device was busy, batches included. It says what a full device delivers, "
        "not how long one answer takes.",
        "Σ tokens written / busy seconds",
        "Measured by the worker",
        "cost-of-pass#efficiency",
    ),
    Metric(
        "idealized",
        ("Idealised",),
        "What an answer would take on the named device without queues, batches and other people’s work. It follows "
        "from the tokens of the stored answers and from speeds that a fixed protocol measured there.",
        "T = encode(prompt tokens) + r (output tokens − 1) + overhead",
        "Cheaply Estimating Inference Efficiency Metrics for Autoregressive Transformer Models, arXiv 2305.02440",
        "cost-of-pass#runtime-and-energy",
        f"{ARXIV}2305.02440",
    ),
    Metric(
        "denoised",
        ("Denoised",),
        "Stored latencies, fitted on tokens, so that the noise of single requests evens out. It takes requests that "
        "were answered one by one.",
        "least squares of latency on prompt and output tokens",
        "Least squares over the stored attempts",
        "cost-of-pass#runtime-and-energy",
    ),
    Metric(
        "energy",
        ("Energy",),
        "Watt-hours for 1,000 samples, from the counter of the GPU itself. Where there is no counter there is no "
        "number, because an estimate would look like a measurement.",
        "1,000 × Σ energy / samples",
        "Power Hungry Processing, arXiv 2311.16863",
        "cost-of-pass#runtime-and-energy",
        f"{ARXIV}2311.16863",
    ),
    Metric(
        "pass-at-k",
        ("pass@k",),
        "The chance that at least one of k attempts at a sample passes, estimated without bias from n stored attempts. "
        "It says what retrying could reach if somebody checked the answers.",
        "1 − C(n − c, k) / C(n, k),  c: attempts that passed",
        "Evaluating Large Language Models Trained on Code, arXiv 2107.03374",
        "jobs#several-attempts",
        f"{ARXIV}2107.03374",
    ),
    Metric(
        "pass-hat-k",
        ("pass^k",),
        "The chance that all of k attempts at a sample pass. The gap to pass@k is how unreliable a single answer is.",
        "C(c, k) / C(n, k)",
        "τ-bench, arXiv 2406.12045",
        "jobs#several-attempts",
        f"{ARXIV}2406.12045",
    ),
    Metric(
        "rank-correlation",
        ("Do the indicators of cost agree?",),
        "Whether two indicators put the contenders in the same order: 1 is the same order, 0 none, −1 the reverse. "
        "Where they disagree, “cheap” depends on which of them is paid for.",
        "Spearman’s ρ of the ranks; Kendall’s τ-b in the tooltip",
        "Spearman (1904); Kendall (1945)",
        "cost-of-pass#efficiency",
    ),
)
