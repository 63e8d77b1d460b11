/* The bell in the frame of each page looks again when there may be news: after a live page was drawn anew, when the tab
   comes back to the front, and now and then while it is there. Which notices there are is the server's business. */
const EVERY_MS = 30000;
const SHORTEST_MS = 2000;
let last = Date.now();
let later;

function look() {
  clearTimeout(later);
  if (document.hidden || !document.getElementById("unread_count")) return;
  const wait = last + SHORTEST_MS - Date.now();
  if (wait > 0) {
    later = setTimeout(look, wait);
    return;
  }
  last = Date.now();
  document.body.dispatchEvent(new CustomEvent("notices:look"));
}

addEventListener("live:drawn", look);
document.addEventListener("visibilitychange", look);
setInterval(look, EVERY_MS);
