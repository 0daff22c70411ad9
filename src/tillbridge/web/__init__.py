# SPDX-License-Identifier: GPL-3.0-or-later
"""Answer over HTTP: the small API, the origin's endpoints and what tills post."""
