# SPDX-License-Identifier: GPL-3.0-or-later
package Koha::Plugin::Tillbridge::Register::Refund;

# Gives money back: a REFUND on each charge that was paid, and a PAYOUT of it.

use Mojo::Base -strict, -signatures;
use Exporter qw(import);

use Koha::Account::Line;
use Koha::Account::Offset;

use Koha::Plugin::Tillbridge::Register::Amount  qw(text_of units_asked units_kept);
use Koha::Plugin::Tillbridge::Register::Booking qw(content_of);
use Koha::Plugin::Tillbridge::Register::Refused;
use Koha::Plugin::Tillbridge::Register::Transaction qw(demand_transaction);
use Koha::Plugin::Tillbridge::Register::Undoing     qw(note_of undo);

our @EXPORT_OK = qw(refund);

my $REFUSED = 'Koha::Plugin::Tillbridge::Register::Refused';

sub refund ($ledger, $order) {
    return undo(
        $ledger, $order,
        {
            kind    => 'refund',
            content => content_of($order->{booking}, $order->{lines}),
            rights  => ['refund', 'payout'],
            work    => sub ($staff, $booking, $lines) { _give_back($ledger, $order, $staff, $booking, $lines) },
        }
    );
}

sub _give_back ($ledger, $order, $staff, $booking, $lines) {
    $REFUSED->throw(409, 'void', 'This booking has been voided.') if grep { $_->{void} } @{$booking->{credits}};
    my $left = _left($ledger, $booking, $lines);
    if (grep { $_->{units} > ($left->{$_->{charge_id}} // 0) } @{$order->{lines}}) {
        my @left = map { {charge_id => 0 + $_, amount => text_of($left->{$_})} } sort { $a <=> $b } keys %$left;
        $REFUSED->throw(409, 'more_than_booked', 'This is more than there is to be refunded of it.', left => \@left);
    }
    my @made = map { _refund_line($ledger, $order, $staff, $lines->{$_->{charge_id}}, $_->{units}) } @{$order->{lines}};
    return {reference => $order->{reference}, booking => $order->{booking}, lines => \@made};
}

# What may be given back of each charge: what this booking paid on it, less what was given back of that, and never
# more than Koha lets a charge be reduced by, whoever reduced it.
sub _left ($ledger, $booking, $lines) {
    my %left;
    $left{$_->{charge_id}} += units_asked($_->{amount}) for map { @{$_->{lines}} } @{$booking->{credits}};
    $left{$_->{charge_id}} -= units_asked($_->{amount}) for map { @{$_->{lines}} } @{$booking->{refunds}};
    my $reduced = $ledger->reduced(keys %left);
    for my $id (keys %left) {
        my $whole = $lines->{$id} ? units_kept($lines->{$id}->amount) - $reduced->{$id} : 0;
        $left{$id} = $whole if $whole < $left{$id};
        $left{$id} = 0      if $left{$id} < 0;
    }
    return \%left;
}

sub _refund_line ($ledger, $order, $staff, $charge, $units) {
    demand_transaction();
    my $refund = _reduction($order, $staff, $charge, $units);
    my $payout = $refund->payout({
        payout_type   => $order->{payout_type},
        branch        => $order->{library_id},
        staff_id      => $staff->borrowernumber,
        cash_register => $order->{register_id},
        interface     => 'api',
        amount        => text_of($units),
    });
    $payout->note(note_of($order))->store;
    _demand_balance($ledger, $charge, $refund->id, $payout->id);
    return {
        charge_id => 0 + $charge->id,
        amount    => text_of($units),
        refund_id => 0 + $refund->id,
        payout_id => 0 + $payout->id
    };
}

# Koha's own `reduce` would put the refund on what the charge still owes, so that nothing were left to pay out, and
# compares sums of binary fractions, so that the last 0.20 of 0.30 may be refused. These are the lines that it makes
# for a charge that is paid.
sub _reduction ($order, $staff, $charge, $units) {
    my $amount = text_of(-$units);
    my $refund = Koha::Account::Line->new({
        date              => \'NOW()',
        amount            => $amount,
        amountoutstanding => $amount,
        credit_type_code  => 'REFUND',
        status            => 'ADDED',
        manager_id        => $staff->borrowernumber,
        borrowernumber    => $charge->borrowernumber,
        interface         => 'api',
        branchcode        => $order->{library_id},
        note              => note_of($order),
    })->store;
    Koha::Account::Offset->new({credit_id => $refund->id, type => 'CREATE', amount => $amount})->store;
    Koha::Account::Offset->new({credit_id => $refund->id, debit_id => $charge->id, type => 'APPLY', amount => 0})
        ->store;
    $charge->status('REFUNDED')->store;
    $refund->discard_changes;
    return $refund;
}

sub _demand_balance ($ledger, $charge, $refund_id, $payout_id) {
    my $now = $ledger->lines($charge->id, $refund_id, $payout_id);
    die "Refund $refund_id was not wholly paid out.\n"
        if units_kept($now->{$refund_id}{amountoutstanding}) || units_kept($now->{$payout_id}{amountoutstanding});
    die 'Refund of charge ' . $charge->id . " changed what it owes.\n"
        if units_kept($now->{$charge->id}{amountoutstanding}) != units_kept($charge->amountoutstanding);
}

1;
