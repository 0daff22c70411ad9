# SPDX-License-Identifier: GPL-3.0-or-later
package Koha::Plugin::Tillbridge::Register::Plan;

# Decides which credits a booking becomes, and how a sum is spread over charges. Knows neither Koha nor a database.
#
# asked: {charge_id, units} in the caller's order. owed: {charge_id => {units, renews}}, of the charges that are open.

use Mojo::Base -strict, -signatures;
use Exporter   qw(import);
use List::Util qw(min sum0);

use Koha::Plugin::Tillbridge::Register::Amount qw(text_of);

our @EXPORT_OK = qw(too_much credits_for spread);

# Nothing where each charge owes what is asked of it; else what all of them owe, as the answer names it: undef is owed
# on what is no open charge.
sub too_much ($asked, $owed) {
    return () unless grep { $_->{units} > ($owed->{$_->{charge_id}} // {units => 0})->{units} } @$asked;
    return map            { {charge_id => $_->{charge_id}, owed => _owed_text($owed->{$_->{charge_id}})} } @$asked;
}

sub _owed_text ($charge) { return $charge ? text_of($charge->{units}) : undef }

# Groups of lines, a group for each credit. Koha fills the charges of a credit one after the other, each as far as
# it goes: exact amounts come of one credit when no more than the last charge is paid in part.
sub credits_for ($asked, $owed) {
    my @lines = sort { $a->{charge_id} <=> $b->{charge_id} } @$asked;
    my @part  = grep { $_->{units} < $owed->{$_->{charge_id}}{units} } @lines;
    my @whole = grep { $_->{units} == $owed->{$_->{charge_id}}{units} } @lines;

    # The last one may come out a crumb short, which would keep Koha from renewing a loan.
    my ($first, $then) = map {
        my $renews = $_;
        [grep { !$owed->{$_->{charge_id}}{renews} == !$renews } @whole]
    } 1, 0;
    my $one = [@$first, @$then, @part];
    return @part < 2 && _lands($one, $owed) ? ($one) : map { [$_] } @lines;
}

# Reckons in binary fractions, as Koha::Account::Line::apply does: to the last of Koha's six places all must land where
# it is meant to, and what renews a loan must come to nothing whatever.
sub _lands ($lines, $owed) {
    my $left = 0 + text_of(sum0 map { $_->{units} } @$lines);
    for my $line (@$lines) {
        my $charge = $owed->{$line->{charge_id}};
        my $due    = 0 + text_of($charge->{units});
        my $paid   = min($left, $due);
        return 0 if sprintf('%.6f', $paid) ne sprintf('%.6f', text_of($line->{units}));
        return 0 if $charge->{renews} && $line->{units} == $charge->{units} && $due - $paid != 0;
        $left -= $paid;
    }
    return abs $left < 0.000_000_5;
}

# Cents over charges in their order, each filled before the next: 5.00 over 3, 4 and 6 is 3, 2, 0.
sub spread ($cents, @owed_cents) {
    return map { my $share = min($cents, $_); $cents -= $share; $share } @owed_cents;
}

1;
