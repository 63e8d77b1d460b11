"""The demo server over a real socket: what clients of such servers rely on."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from deploy.demo.openai_server import Model, Server
from deploy.demo.train import CHECKPOINTS

pytestmark = pytest.mark.engine

PROMPT = "Q: next a b c d\nA:"
Post = Callable[..., Any]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server(Model(CHECKPOINTS / "tiny-s"))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def post(server: Server) -> Post:
    def post(path: str, status: int = 200, **body: Any) -> Any:
        answer = httpx.post(f"{server.base_url}{path}", json={"model": "tiny-s", **body}, timeout=30)
        assert answer.status_code == status, answer.text
        return answer.json()

    return post


def test_models_are_listed(server: Server) -> None:
    answer = httpx.get(f"{server.base_url}/models").json()
    assert [(entry["id"], entry["max_model_len"]) for entry in answer["data"]] == [("tiny-s", 128)]


def test_a_completion_stops_and_counts(post: Post, server: Server) -> None:
    answer = post("/completions", prompt=PROMPT, max_tokens=10, stop=["\n"])
    (choice,) = answer["choices"]
    assert (choice["text"], choice["finish_reason"]) == (" e", "stop")
    prompt = len(server.model.tokenizer(PROMPT)["input_ids"])
    assert answer["usage"] == {"prompt_tokens": prompt, "completion_tokens": 2, "total_tokens": prompt + 2}
    assert post("/completions", prompt=PROMPT, max_tokens=1)["choices"][0]["finish_reason"] == "length"


def test_token_ids_and_several_prompts_are_taken(post: Post, server: Server) -> None:
    ids = server.model.tokenizer([PROMPT, "Q: 1+1\nA:"])["input_ids"]
    by_ids = post("/completions", prompt=ids, max_tokens=4, stop="\n")
    by_text = post("/completions", prompt=[PROMPT, "Q: 1+1\nA:"], max_tokens=4, stop="\n")
    assert [each["text"] for each in by_ids["choices"]] == [each["text"] for each in by_text["choices"]]
    assert [each["index"] for each in by_ids["choices"]] == [0, 1]


def test_echo_gives_the_log_probabilities_of_the_prompt(post: Post, server: Server) -> None:
    ids = server.model.tokenizer(PROMPT + " e")["input_ids"]
    logprobs = post("/completions", prompt=ids, max_tokens=1, echo=True, logprobs=2)["choices"][0]["logprobs"]
    assert len(logprobs["tokens"]) == len(logprobs["token_logprobs"]) == len(ids) + 1
    assert logprobs["token_logprobs"][0] is None
    assert all(value <= 0 and math.isfinite(value) for value in logprobs["token_logprobs"][1:])
    assert logprobs["token_logprobs"][len(ids) - 1] > math.log(0.5)  # it knows the series
    for value, best in zip(logprobs["token_logprobs"][1:], logprobs["top_logprobs"][1:], strict=True):
        assert len(best) in (2, 3)
        assert value <= max(best.values())


def test_a_chat_answers_with_a_message(post: Post) -> None:
    answer = post("/chat/completions", messages=[{"role": "user", "content": PROMPT}], max_tokens=8, stop=["\n"])
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": " e"}
    assert answer["usage"]["completion_tokens"] == 2


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/completions", {"prompt": PROMPT, "model": "other"}, 404),
        ("/nowhere", {}, 404),
        ("/completions", {"prompt": {}}, 400),
        ("/completions", {"prompt": []}, 400),
        ("/completions", {"prompt": [1, 99_999]}, 400),
        ("/completions", {"prompt": [5] * 500}, 400),
        ("/completions", {"prompt": PROMPT, "temperature": 3}, 400),
        ("/chat/completions", {"messages": "hello"}, 400),
    ],
)
def test_bad_requests_are_answered_in_words(path: str, body: dict[str, Any], status: int, post: Post) -> None:
    assert post(path, status, **body)["error"]["message"]


def test_the_command_prints_its_address_and_can_hide_prompt_log_probabilities() -> None:
    command = [sys.executable, "-W", "ignore", "-m", "deploy.demo.openai_server", str(CHECKPOINTS / "tiny-xs")]
    with subprocess.Popen([*command, "--no-prompt-logprobs"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            body = {"model": "tiny-xs", "prompt": PROMPT, "max_tokens": 1, "echo": True, "logprobs": 1}
            answer = httpx.post(f"{address}/completions", content=json.dumps(body), timeout=30).json()
            assert len(answer["choices"][0]["logprobs"]["token_logprobs"]) == 1
        finally:
            process.terminate()
    assert process.returncode == 0
