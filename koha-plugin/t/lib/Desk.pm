# SPDX-License-Identifier: GPL-3.0-or-later
package Desk;

# What the tests ask for, as checked orders: on the little Koha of FakeKoha.

use Mojo::Base -strict, -signatures;
use Exporter qw(import);
use FakeKoha;

use Koha::Plugin::Tillbridge::Register;
use Koha::Plugin::Tillbridge::Register::Amount  qw(units_asked);
use Koha::Plugin::Tillbridge::Register::Booking qw(book);
use Koha::Plugin::Tillbridge::Register::Ledger;
use Koha::Plugin::Tillbridge::Register::Refund   qw(refund);
use Koha::Plugin::Tillbridge::Register::Reversal qw(reverse_booking);

our @EXPORT = qw(afresh booked given_back ledger lines refusal taken_back);

my $ledger;

sub afresh { FakeKoha::begin(); $ledger = undef; return ledger() }

sub ledger {
    return $ledger //=
        Koha::Plugin::Tillbridge::Register::Ledger->new(plugin => Koha::Plugin::Tillbridge::Register->new);
}

# charge => "amount", ...
sub lines (@pairs) {
    my @lines;
    while (my ($id, $amount) = splice @pairs, 0, 2) { push @lines, {charge_id => $id, units => units_asked($amount)} }
    return \@lines;
}

sub booked ($lines, %other) {
    return book(
        ledger(),
        {
            reference    => 'tillbridge:a1',
            patron_id    => 51,
            lines        => $lines,
            library_id   => 'CPL',
            staff_id     => 17,
            register_id  => 2,
            payment_type => 'KASSA',
            description  => 'Paid at the register',
            note         => 'Anna, receipt 7 tillbridge:a1',
            %other,
        }
    );
}

sub taken_back (%other) {
    return reverse_booking(
        ledger(),
        {
            reference   => 'tillbridge:a1:reversal',
            booking     => 'tillbridge:a1',
            staff_id    => 17,
            library_id  => 'CPL',
            register_id => 2,
            reason      => 'Taken back at the till',
            %other,
        }
    );
}

sub given_back ($lines, %other) {
    return refund(
        ledger(),
        {
            reference   => 'tillbridge:a1:refund:1',
            booking     => 'tillbridge:a1',
            lines       => $lines,
            payout_type => 'KASSA',
            staff_id    => 17,
            library_id  => 'CPL',
            register_id => 2,
            reason      => 'Wrong fine',
            %other,
        }
    );
}

# Why something was refused: its status, its code and what else it tells. Fails where it was not.
sub refusal ($work) {
    eval { $work->(); 1 } and die "It was not refused.\n";
    my $error = $@;
    die $error unless ref $error && $error->isa('Koha::Plugin::Tillbridge::Register::Refused');
    return [$error->status, $error->code, $error->more];
}

1;
