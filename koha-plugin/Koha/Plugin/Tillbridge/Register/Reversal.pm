# SPDX-License-Identifier: GPL-3.0-or-later
package Koha::Plugin::Tillbridge::Register::Reversal;

# Takes a whole booking back: Koha voids its credits, and the charges are owed again.

use Mojo::Base -strict, -signatures;
use Exporter   qw(import);
use Mojo::JSON qw(false true);

use Koha::Plugin::Tillbridge::Register::Amount  qw(units_asked units_kept);
use Koha::Plugin::Tillbridge::Register::Booking qw(content_of);
use Koha::Plugin::Tillbridge::Register::Refused;
use Koha::Plugin::Tillbridge::Register::Transaction qw(demand_transaction);
use Koha::Plugin::Tillbridge::Register::Undoing     qw(note_of undo);

our @EXPORT_OK = qw(reverse_booking);

my $REFUSED = 'Koha::Plugin::Tillbridge::Register::Refused';

sub reverse_booking ($ledger, $order) {
    return undo(
        $ledger, $order,
        {
            kind    => 'reversal',
            content => content_of($order->{booking}, []),
            rights  => ['remaining_permissions'],
            work    => sub ($staff, $booking, $lines) { _void($ledger, $order, $staff, $booking, $lines) },
        }
    );
}

sub _void ($ledger, $order, $staff, $booking, $lines) {
    my @valid = grep { !$_->{void} } @{$booking->{credits}};
    _demand_voidable($ledger, $booking, $lines, @valid);
    for my $credit (@valid) {
        demand_transaction();
        my $void = $lines->{$credit->{credit_id}}->void({
            interface => 'api',
            staff_id  => $staff->borrowernumber,
            branch    => $order->{library_id},
        });
        $void->note(note_of($order))->store;
    }
    _demand_owed_again($ledger, $lines, @valid);
    return {
        reference => $order->{reference},
        booking   => $order->{booking},
        credits   => [map { $_->{credit_id} } @{$booking->{credits}}],
        by_hand   => @valid < @{$booking->{credits}} ? true : false,
    };
}

# Money that was given back once must not be given back again, whoever did it.
sub _demand_voidable ($ledger, $booking, $lines, @valid) {
    for my $credit (@valid) {
        my $id = $credit->{credit_id};
        $REFUSED->throw(404, 'no_such_booking', "Koha has deleted credit $id.") unless $lines->{$id};
        next unless @{$booking->{refunds}} || $ledger->refunded_since($id, map { $_->{charge_id} } @{$credit->{lines}});
        $REFUSED->throw(409, 'refunded', 'A part of this has been refunded. It cannot be taken back whole.');
    }
}

# lines: as they were locked, before Koha changed them.
sub _demand_owed_again ($ledger, $lines, @voided) {
    my %more;
    $more{$_->{charge_id}} += units_asked($_->{amount}) for map { @{$_->{lines}} } @voided;
    my $now = $ledger->lines((keys %more), map { $_->{credit_id} } @voided);
    for my $id (grep { $lines->{$_} } keys %more) {
        my $owed = units_kept($lines->{$id}->amountoutstanding) + $more{$id};
        die "Charge $id does not owe what it must owe after the reversal.\n"
            if units_kept($now->{$id}{amountoutstanding}) != $owed;
    }
    for my $credit (map { $now->{$_->{credit_id}} } @voided) {
        die "Koha did not void credit $credit->{accountlines_id}.\n" if ($credit->{status} // '') ne 'VOID';
    }
}

1;
