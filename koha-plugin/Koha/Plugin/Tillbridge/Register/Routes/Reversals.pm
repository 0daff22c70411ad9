# SPDX-License-Identifier: GPL-3.0-or-later
package Koha::Plugin::Tillbridge::Register::Routes::Reversals;

# POST reversals: takes a booking back.

use Mojo::Base 'Koha::Plugin::Tillbridge::Register::Controller', -signatures;

use Koha::Plugin::Tillbridge::Register::Body     qw(%REVERSAL);
use Koha::Plugin::Tillbridge::Register::Reversal qw(reverse_booking);

sub add ($c) {
    return $c->answer(sub { $c->demand_service; return reverse_booking($c->ledger, $c->body(\%REVERSAL)) });
}

1;
