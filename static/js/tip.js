/* One tooltip for all: shown under the pointer's or the keyboard's element, gone on Escape, read out as its description.

   Whatever has `data-tip` is explained by it; other modules show their own words. */

const tip = Object.assign(document.createElement("div"), { id: "tip", className: "tip sheet", role: "tooltip", hidden: true });
document.body.append(tip);
let about = null;
let own = false; // placed at its element, not at a part of it

function place(box) {
  const { width, height } = tip.getBoundingClientRect();
  const left = Math.max(4, Math.min(box.left, innerWidth - width - 4));
  const above = box.bottom + height + 6 > innerHeight;
  tip.style.left = `${left}px`;
  tip.style.top = `${above ? Math.max(4, box.top - height - 6) : box.bottom + 6}px`;
}

export function show(element, lines, box) {
  hide();
  tip.replaceChildren(...lines.filter(Boolean).map((line) => Object.assign(document.createElement("div"), { textContent: line })));
  tip.hidden = false;
  [about, own] = [element, box === undefined];
  place(box ?? element.getBoundingClientRect());
  about.setAttribute("aria-describedby", tip.id);
}

export function hide() {
  tip.hidden = true;
  about?.removeAttribute("aria-describedby");
  about = null;
}

const explain = ({ target }) => {
  if (!(target instanceof Element)) return;
  const told = target.closest("[data-tip]");
  if (told) show(told, [told.dataset.tip]);
  else hide();
};
addEventListener("pointerover", explain);
addEventListener("focusin", explain);

addEventListener("keydown", (event) => event.key === "Escape" && hide());
// The keyboard scrolls to what it reaches: there the tooltip follows. Under a pointer everything else moves away.
addEventListener("scroll", () => {
  if (own && about === document.activeElement) place(about.getBoundingClientRect());
  else hide();
}, { capture: true, passive: true });
