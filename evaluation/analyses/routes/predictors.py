"""What a router believes of a sample before anybody is asked: score and cost of each contender, learned elsewhere.

A predictor learns from a training part and predicts a test part; it is never shown what it is judged on.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from evaluation.errors import MissingPackage
from evaluation.routes import RouteTable
from evaluation.tables import Floats, Integers

TOKENS = r"(?u)\b\w+\b|[^\w\s]"
NEIGHBOURS, CLUSTERS, WORDS, ALPHA = 20, 8, 4096, 1.0
# (table, train, test) -> predicted score and cost of each contender on each test sample
Predictor = Callable[[RouteTable, Integers, Integers], tuple[Floats, Floats]]


def everywhere(table: RouteTable, train: Integers, test: Integers) -> tuple[Floats, Floats]:
    """The same for all samples: a contender's means. It can only choose one contender."""
    means = (part[:, train].mean(axis=1) for part in (table.score, table.cost_usd))
    score, cost = (np.repeat(mean[:, None], test.size, axis=1) for mean in means)
    return score, cost


def by_category(table: RouteTable, train: Integers, test: Integers) -> tuple[Floats, Floats]:
    """Means inside the sample's category ("LLM Routing with Benchmark Datasets", arXiv 2309.15789), drawn towards the
    means of all by one imagined sample, which also serve a category that was never seen."""
    names = np.array(table.categories)
    score, cost = everywhere(table, train, test)
    for name in np.unique(names[test]).tolist():
        inside, wanted = train[names[train] == name], names[test] == name
        for values, predicted in ((table.score, score), (table.cost_usd, cost)):
            total = values[:, inside].sum(axis=1) + values[:, train].mean(axis=1)
            predicted[:, wanted] = (total / (inside.size + 1))[:, None]
    return score, cost


def by_neighbours(table: RouteTable, train: Integers, test: Integers) -> tuple[Floats, Floats]:
    """Means over the training prompts that are most alike (kNN of RouterBench, arXiv 2403.12031)."""
    known, asked = _embedded(table, train, test)
    alike = np.asarray((asked @ known.T).todense())
    k = min(NEIGHBOURS, train.size)
    near = train[np.argpartition(-alike, k - 1, axis=1)[:, :k]]
    return table.score[:, near].mean(axis=2), table.cost_usd[:, near].mean(axis=2)


def by_cluster(table: RouteTable, train: Integers, test: Integers) -> tuple[Floats, Floats]:
    """Means inside clusters of prompts (Universal Model Routing, arXiv 2502.08773)."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    known, asked = _embedded(table, train, test)
    with warnings.catch_warnings():  # fewer different prompts than clusters are no fault
        warnings.simplefilter("ignore", ConvergenceWarning)
        clusters = KMeans(min(CLUSTERS, train.size), n_init=1, random_state=0).fit(known)
    categories = np.empty(len(table.samples), dtype=object)
    categories[train], categories[test] = clusters.labels_.astype(str), clusters.predict(asked).astype(str)
    labelled = RouteTable(table.contenders, table.samples, table.score, table.cost_usd, tuple(map(str, categories)))
    return by_category(labelled, train, test)


def by_regression(table: RouteTable, train: Integers, test: Integers) -> tuple[Floats, Floats]:
    """Ridge regressions of score and cost on the prompt, one pair per contender (CARROT, arXiv 2502.03261)."""
    from sklearn.linear_model import Ridge

    known, asked = _embedded(table, train, test)
    targets = np.concatenate([table.score[:, train], table.cost_usd[:, train]]).T
    predicted = Ridge(alpha=ALPHA).fit(known, targets).predict(asked).T
    half = len(table.contenders)
    return predicted[:half], np.maximum(predicted[half:], 0.0)


def _embedded(table: RouteTable, train: Integers, test: Integers) -> tuple[Any, Any]:
    """Sparse TF-IDF of the prompts, rows of length 1, with the words of the training part only."""
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
    except ImportError:
        remedy = "Install scikit-learn, or leave the prompts out."
        raise MissingPackage("Routers by prompt need scikit-learn.", field="prompts", remedy=remedy) from None
    # Signs count as words: "+" says more about a question than most of them.
    vectors = TfidfVectorizer(max_features=WORDS, token_pattern=TOKENS)
    known = vectors.fit_transform([table.prompts[at] for at in train.tolist()])
    return known, vectors.transform([table.prompts[at] for at in test.tolist()])
