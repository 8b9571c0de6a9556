// What the theme leaves out for readers without a mouse or without sight: the search has
// a name, and wide tables can be scrolled with the keys.
(() => {
  const mend = () => {
    document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
    for (const box of document.querySelectorAll(".md-typeset__scrollwrap, pre > code")) {
      if (box.tabIndex < 0) box.tabIndex = 0;
    }
  };
  document.addEventListener("DOMContentLoaded", () => {
    mend();
    new MutationObserver(mend).observe(document.body, { childList: true, subtree: true });
  });
})();
