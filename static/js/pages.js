/* Small things that any page may have: copy buttons, lists that filter as one types, menus that close. */
import "./bell.js";
import "./board.js";

// On a phone the main navigation scrolls sideways: it shows where one is.
const here = document.querySelector(".nav [aria-current]");
if (here) here.parentElement.scrollLeft = here.offsetLeft - here.parentElement.offsetLeft - 48;

addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) {
    const text = button.closest(".copy").querySelector("pre");
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(text); // no clipboard without HTTPS: marked, ready for the keyboard
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  }
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});

addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) menu.open = false;
});

addEventListener("input", (event) => {
  const list = document.getElementById(event.target.dataset?.filters ?? "");
  if (!list) return;
  const words = event.target.value.toLowerCase().split(/\s+/);
  for (const label of list.querySelectorAll("label")) {
    label.hidden = !words.every((word) => label.textContent.toLowerCase().includes(word));
  }
});

// Enter in a search field of a form that is sent looks for something: it does not send the form.
addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.matches?.("form[method=post] input[type=search]")) event.preventDefault();
});

// Fields that make sense for some choices of another field only: data-when="origin=own" or "source=file|pasted".
const relevant = () => {
  for (const group of document.querySelectorAll("[data-when]")) {
    const [name, values] = group.dataset.when.split("=");
    const chosen = document.querySelector(`[name="${name}"]:checked, select[name="${name}"]`);
    group.hidden = Boolean(chosen) && !values.split("|").includes(chosen.value);
  }
};
addEventListener("change", relevant);
relevant();

addEventListener("click", (event) => {
  if (event.target.closest("[data-keys]")) document.getElementById("keys")?.showModal();
});
