// SPDX-License-Identifier: GPL-3.0-or-later
"use strict";

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#page",
  deepLinking: true,
  // Without this the document would be sent to a validator on the internet.
  validatorUrl: null,
});
