# SPDX-License-Identifier: GPL-3.0-or-later
package Koha::Plugin::Tillbridge::Register::Routes::Refunds;

# POST refunds: gives a part of a booking back.

use Mojo::Base 'Koha::Plugin::Tillbridge::Register::Controller', -signatures;

use Koha::Plugin::Tillbridge::Register::Body   qw(%REFUND);
use Koha::Plugin::Tillbridge::Register::Refund qw(refund);

sub add ($c) {
    return $c->answer(sub { $c->demand_service; return refund($c->ledger, $c->body(\%REFUND)) });
}

1;
