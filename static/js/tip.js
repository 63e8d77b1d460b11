/* One tooltip for all: shown under the pointer's or the keyboard's element, gone on Escape, read out as its description. */

const tip = Object.assign(document.createElement("div"), { id: "tip", className: "tip sheet", role: "tooltip", hidden: true });
document.body.append(tip);
let about = null;

export function show(element, lines, box = element.getBoundingClientRect()) {
  hide();
  tip.replaceChildren(...lines.filter(Boolean).map((line) => Object.assign(document.createElement("div"), { textContent: line })));
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  const left = Math.max(4, Math.min(box.left, innerWidth - width - 4));
  const above = box.bottom + height + 6 > innerHeight;
  tip.style.left = `${left}px`;
  tip.style.top = `${above ? Math.max(4, box.top - height - 6) : box.bottom + 6}px`;
  about = element;
  about.setAttribute("aria-describedby", tip.id);
}

export function hide() {
  tip.hidden = true;
  about?.removeAttribute("aria-describedby");
  about = null;
}

addEventListener("keydown", (event) => event.key === "Escape" && hide());
addEventListener("scroll", hide, { capture: true, passive: true });
