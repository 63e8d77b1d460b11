"""Calibration sets: texts that some schemes must see before they can be applied. A set never changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import transaction

from evaluation.errors import EvaluationError
from evaluation.lines import read_objects
from evaluation.records import Calibration
from webapp.accounts.models import Team, User, Visibility
from webapp.accounts.selectors import May, require
from webapp.accounts.services import record
from webapp.catalog.models import BenchmarkVersion, CalibrationSet, Sample, Suite
from webapp.catalog.selectors import suite_versions
from webapp.catalog.services import save_new
from webapp.errors import Unprocessable

MAX_TEXTS = 20_000
MAX_CHARACTERS = 8_000_000  # of all texts together
LINES = "Write one text a line, or one JSON object a line with its text under “text”."


@transaction.atomic
def create_calibration_set(
    *,
    actor: User,
    team: Team,
    name: str,
    texts: Sequence[str],
    suite: Suite | None = None,
    title: str = "",
    visibility: str = Visibility.TEAM,
) -> CalibrationSet:
    """A named set of different texts. suite: whose benchmarks it is for; none of their prompts may be among the texts.

    Raises Unprocessable on the field `texts` or `name`, Conflict where the team has a set of this name.
    """
    require(actor, team, May.SUBMIT)
    kept = _checked(texts)
    if suite is not None:
        refuse_prompts(kept, suite_versions(suite), field="texts")
    made = CalibrationSet(
        team=team,
        created_by=actor,
        name=name,
        title=title,
        visibility=visibility,
        suite=suite,
        texts=kept,
        size=len(kept),
        content_hash=Calibration(name, tuple(kept)).hash,
    )
    save_new(made, "a calibration set")
    record(actor=actor, team=team, verb="created", target=made, after={"texts": made.size, "hash": made.content_hash})
    return made


def texts_of(lines: Iterable[bytes]) -> list[str]:
    """The texts of an upload: JSON lines with a field `text`, or plain lines. Raises Unprocessable."""
    rows = [line for line in lines if line.strip()]
    try:
        if rows and rows[0].lstrip().startswith(b"{"):
            return [_text(number, row) for number, row in read_objects(rows)]
        return [row.decode("utf-8-sig").rstrip("\r\n") for row in rows]
    except UnicodeDecodeError:
        raise Unprocessable("The file is not UTF-8 text.", field="texts", remedy=LINES) from None
    except EvaluationError as error:
        raise Unprocessable(error.message, field="texts", remedy=error.remedy) from error


def _text(number: int, row: dict[str, object]) -> str:
    text = row.get("text")
    if not isinstance(text, str):
        raise Unprocessable(f"Line {number} has no text.", field="texts", remedy=LINES)
    return text


def refuse_prompts(texts: Iterable[str], versions: Sequence[BenchmarkVersion], *, field: str) -> None:
    """Raises Unprocessable where a text is what one of these benchmarks asks. A worker also looks inside the texts."""
    told = {text.strip() for text in texts}
    asked = Sample.objects.filter(version__in=versions).select_related("version__benchmark")
    rows = asked.values_list("prompt", "index", "version__benchmark__name")
    for prompt, index, name in rows.iterator(chunk_size=5000):
        if prompt.strip() in told:
            raise Unprocessable(
                f"A text is the question of sample {index} of {name}.",
                field=field,
                remedy="Take it out: weights that were fitted on the test say nothing about it.",
            )


def _checked(texts: Sequence[str]) -> list[str]:
    kept = list(dict.fromkeys(text for text in texts if text.strip()))
    if not kept:
        raise Unprocessable("There is no text in it.", field="texts", remedy=LINES)
    if len(kept) > MAX_TEXTS or sum(map(len, kept)) > MAX_CHARACTERS:
        raise Unprocessable(
            f"A set has at most {MAX_TEXTS:,} texts and {MAX_CHARACTERS:,} characters.",
            field="texts",
            remedy="Take a sample of them: a few hundred texts are usual.",
        )
    if any("\0" in text for text in kept):
        raise Unprocessable("A text holds the character U+0000.", field="texts", remedy=LINES)
    return kept
