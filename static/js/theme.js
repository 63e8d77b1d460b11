/* Runs before the first paint, so it is a classic script: the stored choice wins over the system's. */
(() => {
  const KEY = "crosstable-theme";
  const root = document.documentElement;
  const system = () => (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  const stored = () => {
    try { return localStorage.getItem(KEY); } catch { return null; } // storage may be closed
  };
  const shown = () => root.dataset.theme || system();
  const first = stored();
  if (first === "light" || first === "dark") root.dataset.theme = first;

  const name = (button) => {
    const next = shown() === "dark" ? "light" : "dark";
    button.setAttribute("aria-label", `Use the ${next} theme`);
    button.title = `Use the ${next} theme`;
  };
  addEventListener("DOMContentLoaded", () => {
    const button = document.querySelector("[data-theme-toggle]");
    if (!button) return;
    button.hidden = false;
    name(button);
    button.addEventListener("click", () => {
      root.dataset.theme = shown() === "dark" ? "light" : "dark";
      try { localStorage.setItem(KEY, root.dataset.theme); } catch { /* the choice lasts for this page */ }
      name(button);
    });
  });
})();
