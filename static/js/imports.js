/* A file of results goes up in pieces over REST: with progress, and from where it stopped after a break. Without this
   file the form sends all of it at once. */

const form = document.querySelector("[data-import]");
const HASHED = 256 * 2 ** 20; // larger files would have to be held in memory to be hashed here
const TRIES = 5;

const wait = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

async function sha256(file) {
  if (!crypto.subtle || file.size > HASHED) return "";
  const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

class Refused extends Error {}

class Upload {
  constructor(file) {
    this.file = file;
    this.stopper = new AbortController();
    this.bar = form.querySelector("progress");
    this.text = form.querySelector("[data-upload-text]");
  }

  say(text, share) {
    this.text.textContent = text;
    this.bar.value = Math.round(100 * share);
  }

  async call(url, method, body, headers = {}) {
    const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
    const response = await fetch(url, { method, body, headers: { "X-CSRFToken": token, ...headers }, signal: this.stopper.signal });
    const told = response.status === 204 ? {} : await response.json();
    if (response.ok || response.status === 409) return { response, told };
    const errors = Object.values(told.errors ?? {}).flat();
    if (response.status < 500) throw new Refused(errors.join(" ") || [told.detail, told.remedy].filter(Boolean).join(" "));
    throw new Error(told.detail);
  }

  async begin() {
    const hash = await sha256(this.file);
    const asked = { team: form.elements.team.value, visibility: form.elements.visibility.value, name: this.file.name, size: this.file.size, preview: true };
    if (hash) asked.sha256 = hash;
    const { response, told } = await this.call(form.dataset.api, "POST", JSON.stringify(asked), { "Content-Type": "application/json" });
    if (response.status === 409) throw new Refused([told.detail, told.remedy].join(" "));
    return told;
  }

  /* One piece; a break is tried again a few times, and a wrong offset is corrected by the server. */
  async piece(url, offset, size) {
    const body = this.file.slice(offset, offset + size);
    const headers = { "Content-Type": "application/offset+octet-stream", "Upload-Offset": String(offset) };
    for (let tried = 1; ; tried += 1) {
      try {
        const { response, told } = await this.call(url, "PATCH", body, headers);
        const reached = response.headers.get("Upload-Offset");
        if (reached === null) throw new Refused(told.detail);
        return Number(reached);
      } catch (error) {
        if (error instanceof Refused || error.name === "AbortError" || tried === TRIES) throw error;
        this.text.textContent = "The connection broke. Trying again …";
        await wait(2 ** tried / 2);
      }
    }
  }

  async run() {
    this.say("Reading the file …", 0);
    const made = await this.begin();
    let { offset } = made;
    while (made.state === "uploading" && offset < this.file.size) {
      offset = await this.piece(made.url, offset, made.chunk_bytes);
      this.say(`${Math.floor((100 * offset) / this.file.size)} % sent`, offset / this.file.size);
    }
    if (made.state === "uploading") await this.call(`${made.url}finish/`, "POST");
    location.assign(`/imports/${made.id}/`);
  }
}

function show(uploading) {
  form.querySelector("[data-upload]").hidden = !uploading;
  form.querySelector("[data-upload-stop]").hidden = !uploading;
  form.querySelector("button.primary").disabled = uploading;
}

async function send(file) {
  const problem = form.querySelector("[data-upload-error]");
  const upload = new Upload(file);
  form.querySelector("[data-upload-stop]").onclick = () => upload.stopper.abort();
  problem.hidden = true;
  show(true);
  try {
    await upload.run();
  } catch (error) {
    show(false);
    const stopped = "Stopped. Choose the same file again to go on.";
    problem.textContent = error.name === "AbortError" ? stopped : error instanceof Refused ? error.message : `The upload broke off. Press the button to go on from there. ${error.message}`;
    problem.hidden = false;
  }
}

if (form) {
  const chooser = form.elements.file;
  const drop = form.querySelector("[data-drop]");
  form.querySelector("[data-drop-hint]").hidden = false;
  form.addEventListener("submit", (event) => {
    if (!chooser.files.length) return;
    event.preventDefault();
    send(chooser.files[0]);
  });
  drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.dataset.over = "";
  });
  for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => delete drop.dataset.over);
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) chooser.files = event.dataTransfer.files;
  });
}
