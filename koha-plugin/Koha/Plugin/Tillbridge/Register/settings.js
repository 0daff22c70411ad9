// SPDX-License-Identifier: GPL-3.0-or-later
window.tillbridge = {
  plugin: true,
  handovers: "/api/v1/contrib/tillbridge/handovers",
  state: "/api/v1/contrib/tillbridge/state",
};
