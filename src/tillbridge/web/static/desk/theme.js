// SPDX-License-Identifier: GPL-3.0-or-later
// Bootstrap's dark colours hang on an attribute: follow what the workstation prefers, before anything is drawn.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => document.documentElement.setAttribute("data-bs-theme", dark.matches ? "dark" : "light");
  follow();
  dark.addEventListener("change", follow);
})();
