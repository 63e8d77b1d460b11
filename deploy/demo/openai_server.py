"""A small OpenAI-compatible server on a local checkpoint: `python -m deploy.demo.openai_server CHECKPOINT --port 8100`.

It serves /v1/models, /v1/completions (text or token ids, `echo` with `logprobs`, `stop`) and /v1/chat/completions, with
the tokens it really counted in `usage`, whole or streamed. One request at a time: for tests, demonstrations and trying
a client. Greedy or drawn at a `temperature`, with a `seed` the same way each time.
`--no-prompt-logprobs` behaves like servers that return log-probabilities of new tokens only.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

MAX_BODY = 10_000_000  # bytes
Json = dict[str, Any]


class BadRequest(Exception):  # named after the status it becomes
    """A request that the server understands and refuses; the text goes to the client."""


class Model:
    """A causal language model with its tokenizer; thread-safe, one request at a time."""

    def __init__(self, checkpoint: Path, *, prompt_logprobs: bool = True) -> None:
        self.name, self.prompt_logprobs = checkpoint.name, prompt_logprobs
        self.tokenizer = AutoTokenizer.from_pretrained(checkpoint, local_files_only=True)
        self.model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32, local_files_only=True)
        self.model.eval()
        self.context = self.model.config.max_position_embeddings
        self.lock = threading.Lock()

    def models(self) -> Json:
        """Answer of GET /v1/models."""
        entry = {"id": self.name, "object": "model", "owned_by": "local", "max_model_len": self.context}
        return {"object": "list", "data": [entry]}

    def completions(self, body: Json) -> Json:
        """Answer of POST /v1/completions."""
        prompts = self._prompts(body.get("prompt"))
        wanted, echo = body.get("logprobs"), bool(body.get("echo"))
        choices, used, made = [], 0, 0
        for index, ids in enumerate(prompts):
            new, text, reason = self._continue(ids, body, default=16)
            choice: Json = {"index": index, "text": text, "finish_reason": reason, "logprobs": None}
            if echo:
                choice["text"] = self.tokenizer.decode(ids) + text
            if wanted is not None:
                shown = ids + new if echo and self.prompt_logprobs else new
                choice["logprobs"] = self._log_probabilities(ids + new, len(shown), int(wanted))
            choices.append(choice)
            used, made = used + len(ids), made + len(new)
        return self._answer("text_completion", choices, used, made)

    def stream(self, body: Json, *, chat: bool) -> Iterator[Json]:
        """Chunks of one answer as its tokens are made, then one with the usage."""
        (ids,) = self._prompts(self._conversation(body) if chat else body.get("prompt"))
        kind, told, made = "chat.completion.chunk" if chat else "text_completion", "", 0
        for new, text, reason in self._steps(ids, body, default=64 if chat else 16):
            piece, told, made = text.removeprefix(told), text, len(new)
            said: Json = {"delta": {"content": piece}} if chat else {"text": piece}
            answer = self._answer(kind, [{"index": 0, **said, "finish_reason": reason or None}], 0, 0)
            yield {**answer, "usage": None}
        yield self._answer(kind, [], len(ids), made)

    def chat(self, body: Json) -> Json:
        """Answer of POST /v1/chat/completions."""
        (ids,) = self._prompts(self._conversation(body))
        new, written, reason = self._continue(ids, body, default=64)
        message = {"role": "assistant", "content": written}
        return self._answer(
            "chat.completion", [{"index": 0, "message": message, "finish_reason": reason}], len(ids), len(new)
        )

    def _conversation(self, body: Json) -> str:
        """Messages as one text. Without a chat template their contents are put one after the other."""
        messages = body.get("messages")
        if not isinstance(messages, list) or not all(isinstance(each, dict) and "content" in each for each in messages):
            raise BadRequest("`messages` must be a list of objects with `content`")
        if self.tokenizer.chat_template:
            return str(self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
        return "\n".join(str(each["content"]) for each in messages)

    def _prompts(self, prompt: Any) -> list[list[int]]:
        """Token ids of every prompt: a text, texts, token ids or lists of token ids."""
        several = prompt if isinstance(prompt, list) and prompt and not isinstance(prompt[0], int) else [prompt]
        found = []
        for each in several:
            ids = self.tokenizer(each)["input_ids"] if isinstance(each, str) else each
            if not isinstance(ids, list) or not ids or not all(type(one) is int for one in ids):
                raise BadRequest("`prompt` must be a text or token ids, or a list of them")
            if len(ids) >= self.context or not all(0 <= one < len(self.tokenizer) for one in ids):
                raise BadRequest(
                    f"a prompt has {len(ids)} tokens or unknown ones; {self.context - 1} tokens are possible"
                )
            found.append(ids)
        return found

    def _continue(self, ids: list[int], body: Json, default: int) -> tuple[list[int], str, str]:
        """New tokens, their text up to the first stop, and why they end."""
        *_, last = self._steps(ids, body, default)
        return last

    def _steps(self, ids: list[int], body: Json, default: int) -> Iterator[tuple[list[int], str, str]]:
        """The same after each token; why they end is empty until they do."""
        choose = self._chooser(body)
        limit = min(int(body.get("max_tokens", default)), self.context - len(ids))
        stops = body.get("stop") or []
        stops = [stops] if isinstance(stops, str) else [stop for stop in stops if stop]
        new: list[int] = []
        text = ""
        with self.lock, torch.inference_mode():
            state = self.model(torch.tensor([ids]), use_cache=True)
            while len(new) < limit:
                new.append(choose(state.logits[0, -1]))
                if new[-1] == self.tokenizer.eos_token_id:
                    yield new, text, "stop"
                    return
                text = self.tokenizer.decode(new, skip_special_tokens=True)
                hits = [text.index(stop) for stop in stops if stop in text]
                if hits:
                    yield new, text[: min(hits)], "stop"
                    return
                if len(new) < limit:
                    yield new, text, ""
                    state = self.model(torch.tensor([new[-1:]]), past_key_values=state.past_key_values, use_cache=True)
        yield new, text, "length"

    def _chooser(self, body: Json) -> Callable[[torch.Tensor], int]:
        """How the next token comes from its logits."""
        temperature = float(body.get("temperature") or 0)
        if not 0 <= temperature <= 2:
            raise BadRequest("`temperature` lies between 0 and 2")
        if not temperature:
            return lambda logits: int(logits.argmax())
        generator = torch.Generator()
        seed = body.get("seed")
        generator.manual_seed(int(seed)) if seed is not None else generator.seed()
        return lambda logits: int(torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator))

    def _log_probabilities(self, ids: list[int], shown: int, top: int) -> Json:
        """Of the last `shown` tokens; the very first token of a prompt has none."""
        with self.lock, torch.inference_mode():
            table = torch.log_softmax(self.model(torch.tensor([ids])).logits[0], dim=-1)
        names = self.tokenizer.convert_ids_to_tokens(ids)
        own: list[float | None] = [None]
        best: list[dict[str, float] | None] = [None]
        for place in range(1, len(ids)):
            row = table[place - 1]
            values, tokens = row.topk(max(1, top))
            named = zip(self.tokenizer.convert_ids_to_tokens(tokens.tolist()), values.tolist(), strict=True)
            own.append(row[ids[place]].item())
            best.append({**dict(named), names[place]: row[ids[place]].item()})
        first = len(ids) - shown
        return {"tokens": names[first:], "token_logprobs": own[first:], "top_logprobs": best[first:]}

    def _answer(self, kind: str, choices: list[Json], used: int, made: int) -> Json:
        usage = {"prompt_tokens": used, "completion_tokens": made, "total_tokens": used + made}
        return {
            "id": f"local-{uuid.uuid4().hex[:12]}",
            "object": kind,
            "created": int(time.time()),
            "model": self.name,
            "choices": choices,
            "usage": usage,
        }


class Handler(BaseHTTPRequestHandler):
    """Routes, JSON in and out."""

    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:  # the name is http.server's
        """The list of models."""
        if self.path.rstrip("/") == "/v1/models":
            self._send(200, self.server.model.models())
        else:
            self._fail(404, f"there is no {self.path}")

    def do_POST(self) -> None:  # the name is http.server's
        """A completion."""
        model = self.server.model
        routes: dict[str, Callable[[Json], Json]] = {
            "/v1/completions": model.completions,
            "/v1/chat/completions": model.chat,
        }
        try:
            length = int(self.headers.get("Content-Length", 0))
            if length > MAX_BODY:
                raise BadRequest("the body is too long")
            body = json.loads(self.rfile.read(length))
            if self.path not in routes:
                self._fail(404, f"there is no {self.path}")
            elif body.get("model") != model.name:
                self._fail(404, f"there is no model {body.get('model')!r}; this server has {model.name!r}")
            elif body.get("stream"):
                self._stream(model.stream(body, chat=routes[self.path] == model.chat))
            else:
                self._send(200, routes[self.path](body))
        except (BadRequest, ValueError, TypeError, AttributeError) as error:
            self._fail(400, str(error))

    def _stream(self, chunks: Iterator[Json]) -> None:
        """Server-sent events. The first chunk is made before the headers, so that a refusal is still a status."""
        first = next(chunks)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for chunk in chain([first], chunks):
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            self.wfile.flush()
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def _fail(self, status: int, message: str) -> None:
        self._send(status, {"error": {"message": message, "type": "invalid_request_error"}})

    def _send(self, status: int, answer: Json) -> None:
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class Server(ThreadingHTTPServer):
    """Listens on the loopback interface unless told otherwise."""

    daemon_threads = True

    def __init__(self, model: Model, port: int = 0, host: str = "127.0.0.1") -> None:
        self.model = model
        super().__init__((host, port), Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that left before its answer is no news; anything else is printed."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    @property
    def base_url(self) -> str:
        """What a client takes as base URL."""
        return f"http://{self.server_address[0]!s}:{self.server_port}/v1"


def main() -> None:
    """Command line: prints the base URL when it is ready; port 0 takes a free one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--no-prompt-logprobs", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    server = Server(Model(given.checkpoint, prompt_logprobs=not given.no_prompt_logprobs), given.port, given.host)
    signal.signal(signal.SIGTERM, _leave)
    print(server.base_url, flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


def _leave(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    main()
