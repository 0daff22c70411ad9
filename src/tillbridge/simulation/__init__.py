# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the real bridge through faults: in virtual time, over a virtual network, and with a seed that decides everything.

Only what must differ is replaced, and by the ports that production uses: the clock, the sockets and the threads.
"""
