"""What is evaluated on what: entries in immutable versions, contenders, benchmarks, suites."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from webapp.accounts.models import Owned, User, slug


class ModelEntry(Owned):
    """A registered language model. What the numbers depend on is in its versions."""

    name = models.CharField(max_length=63, validators=[slug])
    title = models.CharField(max_length=120, blank=True)
    description = models.TextField(max_length=4000, blank=True)
    tags = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    released_on = models.DateField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "model entries"
        constraints = [models.UniqueConstraint(fields=["team", "name"], name="entry_name_in_team")]

    def __str__(self) -> str:
        return self.name


class Source(models.TextChoices):
    DIRECTORY = "directory", "Directory on the workers"
    HUB = "hub", "Hub repository at a pinned commit"
    ENDPOINT = "endpoint", "OpenAI-compatible endpoint"
    IMPORTED = "imported", "Known from imported results, cannot be run here"

    @classmethod
    def registered(cls) -> list[tuple[str, str]]:
        """Those that a person can register; an imported one comes with its results."""
        return [choice for choice in cls.choices if choice[0] != cls.IMPORTED]


class EntryVersion(models.Model):
    """One immutable state of an entry (the database refuses to change it: migration 0002).

    location: absolute directory, repository id, or base URL up to /v1. fingerprint: sha256 of all that identifies it.
    weights_hash may be filled once, by the first worker, where the weights were too large to hash at registration.
    """

    class Style(models.TextChoices):
        COMPLETIONS = "completions", "Completions (log-likelihoods and text)"
        CHAT = "chat", "Chat (text only)"

    entry = models.ForeignKey(ModelEntry, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    source = models.CharField(max_length=10, choices=Source)
    location = models.CharField(max_length=500)
    revision = models.CharField(max_length=40, blank=True)
    endpoint_model = models.CharField(max_length=200, blank=True)
    endpoint_style = models.CharField(max_length=12, choices=Style, blank=True)
    tokenizer = models.CharField(max_length=500, blank=True)
    sealed_key = models.BinaryField(default=b"", blank=True)
    fingerprint = models.CharField(max_length=64)
    weights_hash = models.CharField(max_length=64, blank=True)
    tokenizer_hash = models.CharField(max_length=64, blank=True)
    chat_template_hash = models.CharField(max_length=64, blank=True)
    architecture = models.CharField(max_length=120, blank=True)
    parameters = models.BigIntegerField(null=True, blank=True)
    size_bytes = models.BigIntegerField(null=True, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["entry", "number"], name="entry_version_number"),
            models.UniqueConstraint(fields=["entry", "fingerprint"], name="entry_version_once"),
            models.CheckConstraint(condition=Q(source__in=Source.values), name="entry_version_source"),
        ]

    def __str__(self) -> str:
        return f"{self.entry.name} v{self.number}"


ContenderKey = tuple[int, str, str]  # version, scheme, variant


class Contender(models.Model):
    """`entry@scheme`: the row of everything.

    variant: sha256 of what else its weights are made of, a map of bits per layer; "" where the scheme says it all.
    """

    version = models.ForeignKey(EntryVersion, on_delete=models.CASCADE, related_name="contenders")
    scheme = models.CharField(max_length=40)
    variant = models.CharField(max_length=64, blank=True, default="", db_default="")
    # Kept here so that a board of 500 rows joins nothing to name them.
    name = models.CharField(max_length=140)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "scheme", "variant"], name="contender_of_a_variant")]

    def __str__(self) -> str:
        return self.name

    @property
    def key(self) -> ContenderKey:
        return self.version_id, self.scheme, self.variant


class Price(models.Model):
    """What an entry costs, by tokens or by the hour, and since when: a row never changes (migration 0004).

    input_usd, output_usd, cached_usd: US dollars per million tokens; hour_usd: per hour of the device. scheme: "" holds
    for every scheme that has no price of its own. It holds from valid_from on and ends before valid_to. A price that
    was entered by mistake is withdrawn with a reason: it stays readable and counts no more.
    """

    entry = models.ForeignKey(ModelEntry, on_delete=models.CASCADE, related_name="prices")
    scheme = models.CharField(max_length=40, blank=True)
    input_usd = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)
    output_usd = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)
    cached_usd = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)
    hour_usd = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)
    source = models.CharField(max_length=200)
    source_url = models.URLField(max_length=500, blank=True)
    valid_from = models.DateField()
    valid_to = models.DateField(null=True, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawn_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    withdrawn_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(input_usd__isnull=False, output_usd__isnull=False, hour_usd__isnull=True)
                | Q(input_usd__isnull=True, output_usd__isnull=True, cached_usd__isnull=True, hour_usd__isnull=False),
                name="price_by_tokens_or_by_hour",
            ),
            *(
                models.CheckConstraint(
                    condition=Q(**{f"{name}__isnull": True}) | Q(**{f"{name}__gte": 0}),
                    name=f"price_{name}_not_negative",
                )
                for name in ("input_usd", "output_usd", "cached_usd", "hour_usd")
            ),
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gt=models.F("valid_from")),
                name="price_ends_after_start",
            ),
            models.CheckConstraint(
                condition=Q(withdrawn_at__isnull=True, withdrawn_by__isnull=True, withdrawn_reason="")
                | Q(withdrawn_at__isnull=False, withdrawn_by__isnull=False) & ~Q(withdrawn_reason=""),
                name="price_withdrawn_with_a_reason",
            ),
        ]
        indexes = [models.Index(fields=["entry", "-valid_from"], name="price_by_entry")]

    def __str__(self) -> str:
        return f"price of {self.entry} from {self.valid_from}"


# The kind of a version whose samples came with results from elsewhere, without a way to ask and score them.
IMPORTED_KIND = "imported"


class Benchmark(Owned):
    """expert_cost_usd: what one sample costs when a human expert answers it; None where nobody has said so."""

    name = models.CharField(max_length=63, validators=[slug])
    title = models.CharField(max_length=120, blank=True)
    description = models.TextField(max_length=4000, blank=True)
    expert_cost_usd = models.DecimalField(max_digits=12, decimal_places=4, null=True, blank=True)
    expert_cost_source = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "name"], name="benchmark_name_in_team"),
            models.CheckConstraint(
                condition=Q(expert_cost_usd__isnull=True, expert_cost_source="")
                | Q(expert_cost_usd__gt=0) & ~Q(expert_cost_source=""),
                name="expert_cost_has_a_source",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class BenchmarkVersion(models.Model):
    """One immutable state of a benchmark: our own definition and documents, or one of lm-eval's tasks by name.

    samples: number of samples (null until a worker has read a harness task). chance: score of guessing, if known.
    """

    benchmark = models.ForeignKey(Benchmark, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    content_hash = models.CharField(max_length=64)
    definition = models.JSONField(default=dict, blank=True)
    harness_task = models.CharField(max_length=120, blank=True)
    kind = models.CharField(max_length=20)
    metric = models.CharField(max_length=60)
    higher_is_better = models.BooleanField(default=True)
    samples = models.PositiveIntegerField(null=True, blank=True)
    chance = models.FloatField(null=True, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["benchmark", "number"], name="benchmark_version_number"),
            models.UniqueConstraint(fields=["benchmark", "content_hash"], name="benchmark_version_once"),
        ]

    def __str__(self) -> str:
        return f"{self.benchmark.name} v{self.number}"


class Sample(models.Model):
    """One question of a benchmark version. The prompt is stored here once, not with every score."""

    pk = models.CompositePrimaryKey("version_id", "index")
    # The primary key begins with it. An index of its own misleads: all of a benchmark is read to find 50 questions.
    version = models.ForeignKey(BenchmarkVersion, on_delete=models.CASCADE, related_name="questions", db_index=False)
    index = models.PositiveIntegerField()
    document = models.JSONField()
    prompt = models.TextField()
    choices = models.JSONField(default=list)
    target = models.TextField()
    subject = models.CharField(max_length=120, blank=True)
    document_hash = models.CharField(max_length=64)
    prompt_hash = models.CharField(max_length=64)
    target_hash = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"sample {self.index} of {self.version}"


class Suite(Owned):
    """Benchmarks in order: the columns of a board and the rounds of a tournament."""

    name = models.CharField(max_length=63, validators=[slug])
    title = models.CharField(max_length=120, blank=True)
    description = models.TextField(max_length=4000, blank=True)
    benchmarks = models.ManyToManyField(BenchmarkVersion, through="SuiteItem", related_name="suites")
    # Its versions in order, where a selector has read them along with it.
    columns: list[BenchmarkVersion] | None = None

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "name"], name="suite_name_in_team")]

    def __str__(self) -> str:
        return self.name


class SuiteItem(models.Model):
    suite = models.ForeignKey(Suite, on_delete=models.CASCADE, related_name="items")
    position = models.PositiveSmallIntegerField()
    version = models.ForeignKey(BenchmarkVersion, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["suite", "position"], name="suite_position"),
            models.UniqueConstraint(fields=["suite", "version"], name="suite_benchmark_once"),
        ]

    def __str__(self) -> str:
        return f"{self.position}. {self.version}"


class CalibrationSet(Owned):
    """Texts that some schemes see before they are applied; never the samples of a test. Immutable (migration 0006).

    content_hash: sha256 of the texts in their order, part of what a run is. size: how many texts. suite: whose
    benchmarks it was checked against, if any.
    """

    name = models.CharField(max_length=63, validators=[slug])
    title = models.CharField(max_length=120, blank=True)
    suite = models.ForeignKey(Suite, null=True, blank=True, on_delete=models.SET_NULL, related_name="calibration_sets")
    texts = models.JSONField()
    size = models.PositiveIntegerField()
    content_hash = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "name"], name="calibration_set_name_in_team"),
            models.CheckConstraint(condition=Q(size__gt=0), name="calibration_set_has_texts"),
        ]

    def __str__(self) -> str:
        return self.name
