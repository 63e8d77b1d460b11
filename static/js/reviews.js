/* The page of a review: more remarks in one submission, only the fields that fit a remark's place, and the buttons that
   this person may press. Without this file one remark can be sent at a time, and the server refuses what may not be. */

const rows = document.querySelector("[data-remarks]");
const template = document.querySelector("template[data-remark]");
const more = document.querySelector("[data-more-remarks]");
const total = document.querySelector("[name='remarks-TOTAL_FORMS']");

const kindOf = (place) => (place === "plot" ? "plot" : place ? "run" : "");

function fit(row) {
  const kind = kindOf(row.querySelector("[name$='-place']").value.trim());
  for (const field of row.querySelectorAll("[data-of]")) field.hidden = field.dataset.of !== kind;
}

function add() {
  const at = Number(total.value);
  const row = template.content.cloneNode(true).firstElementChild;
  row.innerHTML = row.innerHTML.replaceAll("__prefix__", at);
  rows.append(row);
  total.value = at + 1;
  fit(row);
  row.querySelector("select, input").focus();
}

if (rows && template && more) {
  for (const row of rows.children) fit(row);
  rows.addEventListener("input", (event) => fit(event.target.closest(".review-remark")));
  more.addEventListener("click", add);
  more.hidden = false;
}

/* Who asked, who began the thread, and owners may resolve it. */
const page = document.querySelector("[data-live='review_state']");

function allow() {
  const { me = "" } = page.dataset;
  for (const action of page.querySelectorAll("[data-resolve]")) {
    action.hidden = !("owner" in page.dataset) && !action.dataset.resolve.split(" ").includes(me);
  }
}

if (page) {
  allow();
  addEventListener("live:drawn", allow);
}
