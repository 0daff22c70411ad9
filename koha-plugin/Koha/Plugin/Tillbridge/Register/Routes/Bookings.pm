# SPDX-License-Identifier: GPL-3.0-or-later
package Koha::Plugin::Tillbridge::Register::Routes::Bookings;

# POST bookings records a payment; GET bookings finds it again.

use Mojo::Base 'Koha::Plugin::Tillbridge::Register::Controller', -signatures;

use Koha::Plugin::Tillbridge::Register::Body      qw(%BOOKING);
use Koha::Plugin::Tillbridge::Register::Booking   qw(book);
use Koha::Plugin::Tillbridge::Register::Reference qw(is_reference);
use Koha::Plugin::Tillbridge::Register::Shown     qw(lookup);

sub add ($c) {
    return $c->answer(sub { $c->demand_service; return book($c->ledger, $c->body(\%BOOKING)) });
}

sub list ($c) {
    return $c->answer(sub {
        $c->demand_service;
        my $reference = $c->param('reference') // '';
        my $patron_id = $c->param('patron_id');
        $c->refuse(400, 'bad_request', '"reference" is none.') unless is_reference($reference);
        $c->refuse(400, 'bad_request', '"patron_id" is none.') unless ($patron_id // 1) =~ /\A[1-9][0-9]{0,9}\z/;
        return (200, {bookings => [lookup($c->ledger, $reference, $patron_id)]});
    });
}

1;
