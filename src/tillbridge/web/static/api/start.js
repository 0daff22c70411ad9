// SPDX-License-Identifier: GPL-3.0-or-later
"use strict";

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#page",
  deepLinking: true,
  // Without this the document would be sent to a validator on the internet.
  validatorUrl: null,
  // Every request shows its own shapes; the list of all of them below says nothing more.
  defaultModelsExpandDepth: -1,
});
