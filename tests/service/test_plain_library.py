# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from tillbridge.service.library_port import NotRecorded, PlainLibrary, RefundOrder, ReversalOrder


async def test_an_adapter_that_can_do_the_least_records_nothing_that_it_cannot() -> None:
    library = PlainLibrary()
    await library.learn()
    reversal = ReversalOrder.__new__(ReversalOrder)  # what is asked for does not matter
    refund = RefundOrder.__new__(RefundOrder)
    for answer in (await library.reverse(reversal), await library.refund(refund)):
        assert isinstance(answer, NotRecorded)
        assert not answer.again
