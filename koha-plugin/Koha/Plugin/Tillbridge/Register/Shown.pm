# SPDX-License-Identifier: GPL-3.0-or-later
package Koha::Plugin::Tillbridge::Register::Shown;

# Shows bookings as they are in Koha now. Koha may delete old settled lines; what the booking kept of them stands then.

use Mojo::Base -strict, -signatures;
use Exporter   qw(import);
use List::Util qw(uniq);
use Mojo::JSON qw(false true);

use Koha::Plugin::Tillbridge::Register::Amount qw(text_of units_kept);

our @EXPORT_OK = qw(credit_to_keep lines_shown lookup shown);

# row: of the table of bookings, or {reference, patron_id, result} of one that stands only in notes.
sub shown ($ledger, $row) {
    my $kept     = $row->{result};
    my @undoings = grep { $_->{result} } $ledger->undoings_of($row->{reference});
    return {
        reference    => $row->{reference},
        patron_id    => 0 + $row->{patron_id},
        credits      => [_credits($ledger, @{$kept->{credits}})],
        effects      => $kept->{effects},
        receipt_sent => $kept->{receipt_sent} ? true : false,
        reversals    => [map { $_->{result} } grep { $_->{kind} eq 'reversal' } @undoings],
        refunds      => [map { $_->{result} } grep { $_->{kind} eq 'refund' } @undoings],
    };
}

# Every booking of this reference or with ":n" behind it, and with a patron those that stand only in credits' notes.
sub lookup ($ledger, $reference, $patron_id) {
    my @bookings = map { shown($ledger, $_) } $ledger->bookings_of($reference);
    return @bookings unless defined $patron_id;
    my %known = map  { $_->{credit_id} => 1 } map { @{$_->{credits}} } @bookings;
    my @noted = grep { !$known{$_->{credit_id}} } $ledger->credits_noting($patron_id, $reference);
    return @bookings, map { _noted($ledger, $patron_id, $_, @noted) } uniq map { $_->{reference} } @noted;
}

sub _noted ($ledger, $patron_id, $word, @noted) {
    my @ids  = map { $_->{credit_id} } grep { $_->{reference} eq $word } @noted;
    my %kept = (credits => [map { credit_to_keep($ledger, $_) } @ids], effects => []);
    return shown($ledger, {reference => $word, patron_id => $patron_id, result => \%kept});
}

# What a booking keeps of a credit.
sub credit_to_keep ($ledger, $id) {
    my $line = $ledger->lines($id)->{$id};
    return {
        credit_id     => 0 + $id,
        amount        => text_of(-units_kept($line->{amount})),
        credit_number => $line->{credit_number},
        lines         => lines_shown($ledger->applied($id)->{$id}),
    };
}

sub lines_shown ($lines) {
    return [map { {charge_id => $_->{charge_id}, amount => text_of($_->{units})} } @$lines];
}

sub _credits ($ledger, @kept) {
    my @ids     = map { $_->{credit_id} } @kept;
    my $lines   = $ledger->lines(@ids, map { $_->{charge_id} } map { @{$_->{lines}} } @kept);
    my $applied = $ledger->applied(@ids);
    return map { _credit($_, $lines, $applied->{$_->{credit_id}}) } @kept;
}

sub _credit ($kept, $lines, $applied) {
    my $line = $lines->{$kept->{credit_id}};
    return {%$kept, unapplied => text_of(0), void => false} unless $line;
    my $void    = ($line->{status} // '') eq 'VOID';
    my @deleted = grep { !$lines->{$_->{charge_id}} } @{$kept->{lines}};
    return {
        credit_id     => $kept->{credit_id},
        amount        => text_of(-units_kept($line->{amount})),
        unapplied     => text_of(-units_kept($line->{amountoutstanding})),
        void          => $void ? true : false,
        credit_number => $line->{credit_number},
        lines         => $void ? [] : [@{lines_shown($applied)}, @deleted],
    };
}

1;
