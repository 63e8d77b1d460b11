"""What is evaluated on what: entries in immutable versions, contenders, benchmarks, suites."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

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
            models.CheckConstraint(condition=models.Q(source__in=Source.values), name="entry_version_source"),
        ]

    def __str__(self) -> str:
        return f"{self.entry.name} v{self.number}"


class Contender(models.Model):
    """`entry@scheme`: the row of everything."""

    version = models.ForeignKey(EntryVersion, on_delete=models.CASCADE, related_name="contenders")
    scheme = models.CharField(max_length=40)
    # Kept here so that a board of 500 rows joins nothing to name them.
    name = models.CharField(max_length=140)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "scheme"], name="contender_once")]

    def __str__(self) -> str:
        return self.name


class Benchmark(Owned):
    name = models.CharField(max_length=63, validators=[slug])
    title = models.CharField(max_length=120, blank=True)
    description = models.TextField(max_length=4000, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "name"], name="benchmark_name_in_team")]

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
    version = models.ForeignKey(BenchmarkVersion, on_delete=models.CASCADE, related_name="questions")
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
