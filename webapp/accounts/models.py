"""Who: people, teams, roles, tokens, and the audit log."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower

slug = RegexValidator(
    r"^[a-z0-9][a-z0-9._-]{0,62}$",
    "Use 1 to 63 lower-case letters, digits, dots, dashes or underscores; start with a letter or digit.",
)


class User(AbstractUser):
    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]
    email = models.EmailField(unique=True)

    class Meta:
        constraints = [models.UniqueConstraint(Lower("username"), name="user_username_any_case")]


class Team(models.Model):
    name = models.CharField(max_length=63, unique=True, validators=[slug])
    title = models.CharField(max_length=120)
    # US dollars per calendar month (UTC) that its jobs may cost; None: no limit.
    spending_limit_usd = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    # Runs that workers may have in hand for it at once; None: as many as there are workers.
    running_limit = models.PositiveSmallIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    # Id of the person whose request found this object by a query that told the role, too, and that role.
    member: tuple[int | None, str] = (None, "")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(spending_limit_usd__isnull=True) | models.Q(spending_limit_usd__gte=0),
                name="team_spending_limit_not_negative",
            )
        ]

    def __str__(self) -> str:
        return self.title


class Role(models.TextChoices):
    VIEWER = "viewer", "Viewer: reads"
    REVIEWER = "reviewer", "Reviewer: reads and reviews"
    SUBMITTER = "submitter", "Submitter: registers entries and submits jobs"
    OWNER = "owner", "Owner: also manages people, boards and secrets"


class Membership(models.Model):
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=12, choices=Role)
    created_at = models.DateTimeField(auto_now_add=True)
    # The link by which they came; None: an owner added them. Whose link it is hears of it: announced says whether.
    invitation = models.ForeignKey("Invitation", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    announced = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "team"], name="membership_once"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="membership_role"),
        ]
        indexes = [models.Index(fields=["id"], condition=models.Q(announced=False), name="membership_silent")]

    def __str__(self) -> str:
        return f"{self.user} in {self.team}: {self.role}"


class Visibility(models.TextChoices):
    PRIVATE = "private", "Private: its author and the team's owners"
    TEAM = "team", "Team: every member"
    PUBLIC = "public", "Public: everybody"


# In the place of a visibility: `selectors.visible` shows to nobody what is being deleted.
REMOVED = "removed"


class Owned(models.Model):
    """What belongs to a team and is seen by some people. Read it through `selectors.visible`."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="+")
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    visibility = models.CharField(max_length=8, choices=Visibility, default=Visibility.TEAM)

    class Meta:
        abstract = True


class Scope(models.TextChoices):
    READ = "read", "Read"
    SUBMIT = "submit", "Register and submit"
    REVIEW = "review", "Review"
    ADMIN = "admin", "Manage the team"


class Token(models.Model):
    """An API token. Only the SHA-256 of its secret is kept: the secret has 256 random bits, so no salt is needed."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=12)
    digest = models.CharField(max_length=64, unique=True)
    scopes = ArrayField(models.CharField(max_length=8, choices=Scope))
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class Invitation(models.Model):
    """A link by which people join a team. Only the SHA-256 of its secret is kept."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="invitations")
    created_by = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    role = models.CharField(max_length=12, choices=Role)
    prefix = models.CharField(max_length=6)
    digest = models.CharField(max_length=64, unique=True)
    uses = models.PositiveSmallIntegerField(default=1)
    used = models.PositiveSmallIntegerField(default=0)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(used__lte=models.F("uses")), name="invitation_not_overused"),
            models.CheckConstraint(
                condition=models.Q(role__in=["viewer", "reviewer", "submitter"]), name="invitation_makes_no_owner"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.prefix}… to {self.team_id} as {self.role}"


class AuditEvent(models.Model):
    """Who did what, when, before and after. The database refuses to change or delete a row (migration 0002)."""

    # No foreign-key actions: the log outlives what it speaks of.
    team = models.ForeignKey(Team, null=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+")
    actor = models.ForeignKey(User, null=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+")
    actor_name = models.CharField(max_length=150)
    verb = models.CharField(max_length=40)
    target = models.CharField(max_length=200)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["team", "-id"], name="audit_by_team")]

    def __str__(self) -> str:
        return f"{self.actor_name} {self.verb} {self.target}"
