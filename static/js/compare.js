/* The hand on a comparison: u goes up to the list; the chooser counts, and stops at the most that fit side by side. */

addEventListener("keydown", (event) => {
  if (event.key !== "u" || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.target.closest("input, select, textarea") || document.querySelector("dialog[open]")) return;
  document.querySelector("[data-up]")?.click();
});

const form = document.querySelector("[data-compare-chooser]");
if (form) {
  const boxes = [...form.querySelectorAll("input[name=contenders]")];
  const [fewest, most] = [Number(form.dataset.fewest), Number(form.dataset.most)];
  const count = () => {
    const chosen = boxes.filter((box) => box.checked).length;
    for (const box of boxes) box.disabled = !box.checked && chosen >= most;
    form.querySelector(".primary").disabled = chosen < fewest;
    form.querySelector("[data-compare-count]").textContent = `${chosen} chosen, ${fewest} to ${most} fit side by side`;
  };
  form.addEventListener("change", count);
  count();
}
