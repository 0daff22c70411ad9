# SPDX-License-Identifier: GPL-3.0-or-later
package Koha::Plugin::Tillbridge::Register::Booking;

# Records what a till took: all of it on the charges that it was taken for, once, or nothing.

use Mojo::Base -strict, -signatures;
use Digest::SHA qw(sha256_hex);
use Exporter    qw(import);
use Mojo::JSON  qw(false);

use C4::Context;
use Koha::Account;
use Koha::Account::Lines;

use Koha::Plugin::Tillbridge::Register::Amount    qw(text_of units_kept);
use Koha::Plugin::Tillbridge::Register::Plan      qw(credits_for too_much);
use Koha::Plugin::Tillbridge::Register::Reference qw(base_of note_with);
use Koha::Plugin::Tillbridge::Register::Refused;
use Koha::Plugin::Tillbridge::Register::Shown       qw(credit_to_keep shown);
use Koha::Plugin::Tillbridge::Register::Staff       qw(acting_for);
use Koha::Plugin::Tillbridge::Register::Transaction qw(demand_transaction in_transaction);

our @EXPORT_OK = qw(book content_of locked);

my $REFUSED = 'Koha::Plugin::Tillbridge::Register::Refused';

# (201, the booking), or (200, the booking) where the reference was there already.
sub book ($ledger, $order) {
    my ($status, $row) = @{in_transaction(sub { _once($ledger, $order) })};
    return ($status, shown($ledger, $row));
}

# What makes two orders the same, as one word. Texts, names and places may differ: what was first recorded stays.
sub content_of ($whose, $lines) {
    return sha256_hex(join ' ', $whose,
        map { "$_->{charge_id}=$_->{units}" } sort { $a->{charge_id} <=> $b->{charge_id} } @$lines);
}

# Koha's lines by id, locked until the transaction ends. Comes before everything that is only read: what is read
# first fixes the moment that all later reading is of, and Koha reckons with what it reads.
sub locked (@ids) {
    my @lines = Koha::Account::Lines->search({accountlines_id => {-in => \@ids}},
        {for => 'update', order_by => 'accountlines_id'})->as_list;
    return {map { $_->id => $_ } @lines};
}

sub _once ($ledger, $order) {
    my ($reference, $patron_id, $lines) = @$order{qw(reference patron_id lines)};
    my $there   = $ledger->lock_patron($patron_id);
    my $charges = locked(map { $_->{charge_id} } @$lines);
    my $content = content_of($patron_id, $lines);
    if (my $row = $ledger->booking($reference)) {
        return [200, $row] if $row->{content} eq $content;
        $REFUSED->throw(409, 'other_content', 'This reference was booked already, for something else.');
    }
    $REFUSED->throw(404, 'patron_gone', 'Koha has no such patron.') unless $there;
    $ledger->add_booking($reference, $patron_id, $content);
    my @noted = _made_without_us($ledger, $patron_id, $reference);
    my $result =
        @noted ? _adopted($ledger, @noted) : acting_for($order, sub ($) { _recorded($ledger, $order, $charges) });
    $ledger->finish_booking($reference, $result);
    return [@noted ? 200 : 201, {reference => $reference, patron_id => $patron_id, result => $result}];
}

# Credits that plain REST has made under this reference, before there was a plugin. What a booking of ours has already is
# none of them: the second of its credits is noted as the bridge would note its own second booking.
sub _made_without_us ($ledger, $patron_id, $reference) {
    my @noted   = $ledger->credits_noting($patron_id, $reference) or return;
    my @ours    = grep { $_->{result} } $ledger->bookings_of(base_of($reference));
    my %is_ours = map { $_->{credit_id} => 1 } map { @{$_->{result}{credits}} } @ours;
    my @free    = grep { !$is_ours{$_->{credit_id}} } @noted;
    my @exact   = grep { $_->{reference} eq $reference } @free;
    return @exact ? @exact : @free;
}

sub _adopted ($ledger, @noted) {
    return {credits => [map { credit_to_keep($ledger, $_->{credit_id}) } @noted], effects => [], receipt_sent => false};
}

sub _recorded ($ledger, $order, $charges) {
    my ($patron_id, $lines) = @$order{qw(patron_id lines)};
    my $owed     = {map { $_ => _owed($charges->{$_}) } grep { _is_open($charges->{$_}, $patron_id) } keys %$charges};
    my @too_much = too_much($lines, $owed);
    $REFUSED->throw(409, 'charges_changed', 'These charges owe less than is to be booked.', charges => \@too_much)
        if @too_much;
    my @lost     = map { $_->itemnumber } grep { $_->debit_type_code eq 'LOST' && $_->itemnumber } values %$charges;
    my %lent     = $ledger->on_loan($patron_id, @lost);
    my $receipts = $ledger->receipts($patron_id);
    my @groups   = credits_for($lines, $owed);
    my @paid     = map { _pay($ledger, $order, $charges, $groups[$_], @groups > 1 ? $_ + 1 : undef) } 0 .. $#groups;
    _demand_exactness($ledger, $lines, $owed);
    my %kept = $ledger->on_loan($patron_id, @lost);
    return {
        credits      => [map { $_->{credit} } @paid],
        effects      => [(map { @{$_->{effects}} } @paid), _returned($charges, grep { !$kept{$_} } keys %lent)],
        receipt_sent => $ledger->receipts($patron_id) > $receipts,
    };
}

sub _is_open ($line, $patron_id) {
    return $line->is_debit && ($line->borrowernumber // 0) == $patron_id && units_kept($line->amountoutstanding) > 0;
}

sub _owed ($line) {
    my $accrues = $line->debit_type_code eq 'OVERDUE' && ($line->status // '') eq 'UNRETURNED';
    return {
        units  => units_kept($line->amountoutstanding),
        renews => $accrues && C4::Context->preference('RenewAccruingItemWhenPaid')
    };
}

sub _pay ($ledger, $order, $charges, $group, $n) {
    demand_transaction();
    my ($reference, $units) = ($order->{reference}, 0);
    $units += $_->{units} for @$group;
    my $paid = Koha::Account->new({patron_id => $order->{patron_id}})->pay({
        amount        => text_of($units),
        lines         => [map { $charges->{$_->{charge_id}} } @$group],
        library_id    => $order->{library_id},
        payment_type  => $order->{payment_type},
        cash_register => $order->{register_id},
        description   => $order->{description},
        note          => note_with($order->{note}, $reference, defined $n ? "$reference:$n" : $reference),
        interface     => 'api',
    });
    $ledger->drop_crumbs($paid->{payment_id});
    _demand_whole($ledger, $paid->{payment_id}, $group);
    return {
        credit  => credit_to_keep($ledger, $paid->{payment_id}),
        effects => [map { _renewed($_, $charges, $group) } @{$paid->{renew_result} // []}],
    };
}

# Koha goes on to other charges with what is left of a payment, and other plugins may have a hand in it.
sub _demand_whole ($ledger, $credit_id, $group) {
    my $credit = $ledger->lines($credit_id)->{$credit_id}
        // die "Deadlock found: somebody hid it, and credit $credit_id is gone.\n";
    my %wanted = map { $_->{charge_id} => $_->{units} } @$group;
    my %landed = map { $_->{charge_id} => $_->{units} } @{$ledger->applied($credit_id)->{$credit_id}};
    my $exact =
           units_kept($credit->{amountoutstanding}) == 0
        && keys %wanted == keys %landed
        && !grep { $wanted{$_} != ($landed{$_} // -1) } keys %wanted;
    die "Koha did not put credit $credit_id on the charges that it is for.\n" unless $exact;
}

sub _demand_exactness ($ledger, $lines, $owed) {
    my $now = $ledger->lines(map { $_->{charge_id} } @$lines);
    for my $line (@$lines) {
        my $id = $line->{charge_id};
        next if units_kept($now->{$id}{amountoutstanding}) == $owed->{$id}{units} - $line->{units};
        die "Charge $id does not owe what it must owe after the booking.\n";
    }
}

sub _renewed ($outcome, $charges, $group) {
    my ($id) = grep { ($charges->{$_}->itemnumber // 0) == $outcome->{itemnumber} } map { $_->{charge_id} } @$group;
    return () unless defined $id;
    return {charge_id => 0 + $id, what => 'renewed',         why => undef} if $outcome->{success};
    return {charge_id => 0 + $id, what => 'renewal_refused', why => $outcome->{error}};
}

sub _returned ($charges, @items) {
    my %is = map { $_ => 1 } @items;
    return map { {charge_id => 0 + $_->id, what => 'returned', why => undef} }
        grep   { $_->debit_type_code eq 'LOST' && $is{$_->itemnumber // 0} }
        map    { $charges->{$_} } sort { $a <=> $b } keys %$charges;
}

1;
