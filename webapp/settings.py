"""One settings file for the demo, the tests and production; what differs comes from the environment (env.py)."""

from __future__ import annotations

from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from webapp import env

BASE_DIR = env.ROOT
DATA_DIR = Path(env.text("CROSSTABLE_DATA") or BASE_DIR / "var").resolve()

DEBUG = env.flag("DEBUG")
# One-click demo sign-in. The supervisor sets it, and only when it listens on loopback.
DEMO = env.flag("CROSSTABLE_DEMO")
SECRET_KEY = env.text("SECRET_KEY")
if not SECRET_KEY:
    raise ImproperlyConfigured("SECRET_KEY is not set. `make run` makes one; in production set a long random text.")
# Former values of SECRET_KEY, newest first: sessions, links and sealed secrets made with them are still read, until
# `manage.py rotate_keys` has sealed everything anew. Public keys of those before them still verify old sign-offs.
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS")
RETIRED_SIGNING_KEYS = env.words("CROSSTABLE_RETIRED_SIGNING_KEYS")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]")
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "channels",
    "webapp.accounts",
    "webapp.notices",
    "webapp.catalog",
    "webapp.jobs",
    "webapp.results",
    "webapp.searches",
    "webapp.leaderboards",
    "webapp.releases",
    "webapp.reviews",
    "webapp.imports",
    "webapp.exports",
    "webapp.removals",
    "webapp.pages",
    "webapp.operations",
]

MIDDLEWARE = [
    "webapp.logs.RequestIdMiddleware",
    "webapp.metrics.CountingMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "webapp.security.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "webapp.errors.DomainErrorMiddleware",
]

ROOT_URLCONF = "webapp.urls"
ASGI_APPLICATION = "webapp.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "webapp.pages.context.site",
            ],
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    ["django.template.loaders.filesystem.Loader", "django.template.loaders.app_directories.Loader"],
                ),
            ],
            "builtins": ["webapp.pages.templatetags.crosstable", "webapp.pages.templatetags.guide"],
        },
    }
]

DATABASES = {
    "default": {
        **env.database(env.text("DATABASE_URL") or "postgresql://postgres@127.0.0.1:5432/crosstable"),
        # Under ASGI a request's thread ends with it and would take its connection along: a pool keeps them instead.
        "CONN_MAX_AGE": 0,
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "accounts:sign_in"
LOGIN_REDIRECT_URL = "pages:home"
LOGOUT_REDIRECT_URL = "pages:home"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
PASSWORD_RESET_TIMEOUT = 24 * 3600
SIGN_UP_OPEN = env.flag("CROSSTABLE_SIGN_UP", True)

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = Path(env.text("CROSSTABLE_STATIC") or DATA_DIR / "static")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "webapp.storage.StaticStorage"},
}

# --- who may do what, and how much -------------------------------------------------------------------------------
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_COOKIES = env.flag("CROSSTABLE_HTTPS")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_COOKIES
SECURE_HSTS_SECONDS = 31_536_000 if SECURE_COOKIES else 0
SECURE_SSL_REDIRECT = SECURE_COOKIES
# Asked from inside, past the proxy that has the certificate.
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$"]
# Whether subdomains and browsers' own lists are bound, too, is for the owner of the whole domain to say.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if SECURE_COOKIES else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# What a request may bring (bounds.py): any one, and those of people who are signed in where files are uploaded.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 2**20
UPLOAD_BYTES = 64 * 2**20
# Anybody may make teams, and teams take turns: how many a person may own, and how many runs at once a new one may have.
OWNED_TEAMS = env.number("CROSSTABLE_OWNED_TEAMS", 10, least=1)
TEAM_RUNNING_LIMIT = env.limit("CROSSTABLE_TEAM_RUNNING_LIMIT", most=10_000)
# Folders below which a local checkpoint may lie. A path outside is refused, at submit and on the worker.
MODEL_ROOTS = [
    Path(p).resolve() for p in env.words("CROSSTABLE_MODEL_ROOTS", str(BASE_DIR / "deploy/demo/checkpoints"), ":")
]
# Private networks or hosts that endpoints may use on purpose (CIDR or names); empty: public addresses only.
ALLOWED_NETWORKS = env.words("CROSSTABLE_ALLOWED_NETWORKS")
BENCHMARK_UPLOAD_BYTES = 32 * 2**20

# --- e-mail: sent by the analysis worker from an outbox in the database --------------------------------------------
# Where people reach the site: the beginning of the links in e-mails and webhooks.
SITE_URL = (env.text("CROSSTABLE_URL") or next(iter(CSRF_TRUSTED_ORIGINS), "http://127.0.0.1:8000")).rstrip("/")
MAIL = env.mail(env.text("EMAIL_URL"))
EMAIL_BACKEND, EMAIL_FILE_PATH = MAIL.backend, DATA_DIR / "mail"
EMAIL_HOST, EMAIL_PORT, EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = MAIL.host, MAIL.port, MAIL.user, MAIL.password
EMAIL_USE_TLS, EMAIL_USE_SSL, EMAIL_TIMEOUT = MAIL.starttls, MAIL.ssl, 10
DEFAULT_FROM_EMAIL = env.text("EMAIL_FROM") or "Crosstable <crosstable@localhost>"

# --- REST --------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "webapp.accounts.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_THROTTLE_CLASSES": [
        "webapp.limits.PersonThrottle",
        "webapp.limits.StrangerThrottle",
    ],
    "DEFAULT_THROTTLE_RATES": {"user": env.text("CROSSTABLE_API_RATE", "1200/min"), "anon": "60/min"},
    "EXCEPTION_HANDLER": "webapp.rest.problem_details",
    "COERCE_DECIMAL_TO_STRING": True,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Crosstable",
    "VERSION": "1",
    "DESCRIPTION": "Register entries, submit evaluation jobs, read boards. Errors are problem details (RFC 9457).",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        # A job has the states of a run.
        "State": "webapp.jobs.models.Run.State",
        "ReportState": "webapp.results.models.Report.State",
        "ImportState": "webapp.imports.models.Import.State",
        "SearchState": "webapp.searches.models.Search.State",
        "ReviewState": "webapp.reviews.models.Review.State",
        "DeliveryState": "webapp.notices.models.Delivery.State",
        "RemovalKind": "webapp.removals.models.Removal.Kind",
        "RemovalState": "webapp.removals.models.Removal.State",
        "NoticeKind": "webapp.notices.models.Kind",
        "Role": "webapp.accounts.models.Role",
        "RegisteredSource": "webapp.catalog.models.Source.registered",
        "Source": "webapp.catalog.models.Source",
        "Visibility": "webapp.accounts.models.Visibility",
    },
}

# --- Celery: the broker is a doorbell, Postgres is the state -------------------------------------------------------
BROKER_URL = env.text("BROKER_URL") or "redis://127.0.0.1:6379/0"
CELERY_BROKER_URL = BROKER_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_RESULT_BACKEND = None
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_DEFAULT_QUEUE = "analysis"
# Runs are rung for at a queue per class of resources (jobs/resources.py); this one has them all.
CELERY_TASK_ROUTES = {"workers.evaluate": {"queue": "evaluation"}}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0.1, "interval_max": 0.2}
# A broker that is frozen, or cut off, refuses nothing: without a limit whoever rings it would wait for ever. A worker
# that listens asks every second, so that 3 s without an answer mean the same to it.
REDIS_PATIENCE = {"socket_timeout": 3, "socket_connect_timeout": 2}
CELERY_BROKER_TRANSPORT_OPTIONS = (
    {"visibility_timeout": 12 * 3600, "unacked_restore_interval": 5, "unacked_restore_throttle": 1, **REDIS_PATIENCE}
    if BROKER_URL.startswith("redis")
    else {}
)
SWEEP_SECONDS, TIDY_SECONDS = 5, 60  # of the task, and of the thread that looks for lost runs (workers/sweeping.py)
CELERY_BEAT_SCHEDULE = {
    # A sweep that waited longer than a period is worth nothing: the next one does its work.
    "sweep": {"task": "workers.sweep", "schedule": SWEEP_SECONDS, "options": {"expires": SWEEP_SECONDS}},
    "tidy": {"task": "workers.tidy", "schedule": TIDY_SECONDS, "options": {"expires": TIDY_SECONDS}},
}

# --- runs --------------------------------------------------------------------------------------------------------
LEASE_SECONDS = env.number("CROSSTABLE_LEASE_SECONDS", 30)
RUN_ATTEMPTS = env.number("CROSSTABLE_RUN_ATTEMPTS", 3, least=1, most=100)
# A worker gives its sign of life every 5 s, and up to 15 s later while it waits for a database that is away: one that
# is killed sooner than that would be killed over and over.
FROZEN_SECONDS = env.number("CROSSTABLE_FROZEN_SECONDS", 30, least=25, most=3600)
# What fits into so much memory may run on any worker; what needs more waits for a GPU that is large enough.
CPU_BYTES = env.number("CROSSTABLE_CPU_GB", 16) * 10**9
# What a GPU is taken to have whose driver does not tell (a GB10, a part of a card).
GPU_BYTES = env.number("CROSSTABLE_GPU_GB", 8) * 10**9
RUN_MAX_SECONDS = env.number("CROSSTABLE_RUN_MAX_SECONDS", 14400, least=1, most=2**31 - 1)
# Boards wait behind a report in the same worker, so a request that would take longer than this is refused.
REPORT_MAX_SECONDS = env.number("CROSSTABLE_REPORT_MAX_SECONDS", 60)
REPORT_ATTEMPTS = 3
# Whether workers measure speed and memory of what they have evaluated, when nothing waits for them.
MEASURE_WHEN_IDLE = env.flag("CROSSTABLE_MEASURE_WHEN_IDLE", default=True)

# --- imports of results --------------------------------------------------------------------------------------------
IMPORT_BYTES = env.number("CROSSTABLE_IMPORT_BYTES", 2 * 2**30)
IMPORT_UNPACKED_BYTES = env.number("CROSSTABLE_IMPORT_UNPACKED_BYTES", 8 * 2**30)
IMPORT_ROWS = env.number("CROSSTABLE_IMPORT_ROWS", 5_000_000)
IMPORT_CELL = env.number("CROSSTABLE_IMPORT_CELL", 1_000_000)  # characters of one text
IMPORT_NESTING = env.number("CROSSTABLE_IMPORT_NESTING", 32)  # levels of JSON
IMPORT_CHUNK_BYTES = 4 * 2**20  # what one call may bring
IMPORT_ATTEMPTS = 3

# --- what is thrown away, and when (operations/rules.py); None: never -----------------------------------------------
KEEP_NOTICES = env.days("CROSSTABLE_KEEP_NOTICES_DAYS", 180)
KEEP_DELIVERIES = env.days("CROSSTABLE_KEEP_DELIVERIES_DAYS", 30)
KEEP_MAIL_FILES = env.days("CROSSTABLE_KEEP_MAIL_FILES_DAYS", 90)
KEEP_UPLOADS = env.days("CROSSTABLE_KEEP_UPLOADS_DAYS", 2)
KEEP_EXPIRED = env.days("CROSSTABLE_KEEP_EXPIRED_DAYS", 90)
KEEP_WORKERS = env.days("CROSSTABLE_KEEP_WORKERS_DAYS", 90)
KEEP_DIARIES = env.days("CROSSTABLE_KEEP_DIARIES_DAYS", 0)
KEEP_SIZES = env.days("CROSSTABLE_KEEP_SIZES_DAYS", 730)

# --- live pages: what one person, or one address without a sign-in, may have open in each web process ----------------
LIVE_VIEWS = env.number("CROSSTABLE_LIVE_VIEWS", 50)  # opened first by them: each is drawn anew at every change
LIVE_SOCKETS = env.number("CROSSTABLE_LIVE_SOCKETS", 2000)

# --- Channels ----------------------------------------------------------------------------------------------------
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {
            "hosts": [{"address": env.channel_layer_url(BROKER_URL), "socket_timeout": None, "max_connections": 5000}],
            "prefix": env.text("CROSSTABLE_CHANNEL_PREFIX", "crosstable"),
        },
    }
}

# --- what all processes count together (limits.py) -----------------------------------------------------------------
CACHES = {
    "default": {
        "BACKEND": "webapp.cache.SharedCache",
        "LOCATION": env.text("CACHE_URL") or env.channel_layer_url(BROKER_URL),
        "KEY_PREFIX": env.text("CROSSTABLE_CHANNEL_PREFIX", "crosstable") + ".cache",
        "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},
    },
    # Where each process counts for itself while the shared one is away.
    "process": {"BACKEND": "webapp.cache.ProcessCache", "OPTIONS": {"MAX_ENTRIES": 2000}},
}

# --- what is seen of it -------------------------------------------------------------------------------------------
# Who may read /metrics: whoever brings the token, or comes from one of the networks (CIDR). Neither set: nobody.
METRICS_TOKEN = env.text("CROSSTABLE_METRICS_TOKEN")
METRICS_NETWORKS = env.networks("CROSSTABLE_METRICS_NETWORKS")
# "line" for people, "json" for machines: each line names the request or the run that it speaks of.
LOG_FORMAT = env.text("CROSSTABLE_LOG_FORMAT") or "line"
if LOG_FORMAT not in {"line", "json"}:
    raise ImproperlyConfigured(f"CROSSTABLE_LOG_FORMAT={LOG_FORMAT!r} is no format. Set it to line or json.")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "webapp.logs.Lines"}, "json": {"()": "webapp.logs.JSONLines"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT}},
    "root": {"handlers": ["console"], "level": env.text("LOG_LEVEL", "WARNING")},
    "loggers": {
        "crosstable": {"level": env.text("CROSSTABLE_LOG_LEVEL", "INFO")},
        # Its lines hold paths, which may be the secret of an invitation. Ours hold routes; errors have a reference.
        "django.request": {"level": "CRITICAL"},
        # People at a terminal do not want a line per request, nor per run.
        "crosstable.request": {"level": "INFO" if LOG_FORMAT == "json" else "WARNING"},
        "crosstable.run": {"level": "INFO" if LOG_FORMAT == "json" else "WARNING"},
        # The server's own lines come as ours do, without one for each socket; those of its access log hold paths, too.
        "uvicorn": {"level": "WARNING", "handlers": [], "propagate": True},
        "uvicorn.access": {"handlers": [], "propagate": False},
    },
}
SENTRY_DSN = env.text("SENTRY_DSN")
SENTRY_ENVIRONMENT = env.text("SENTRY_ENVIRONMENT", "production")
