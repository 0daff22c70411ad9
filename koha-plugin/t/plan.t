# SPDX-License-Identifier: GPL-3.0-or-later
use Mojo::Base -strict, -signatures;
use Test::More;

use Koha::Plugin::Tillbridge::Register::Amount qw(units_asked);
use Koha::Plugin::Tillbridge::Register::Plan   qw(credits_for spread too_much);

# charge => [asked, owed, renews]
sub groups (%charges) {
    my @asked = map { {charge_id => $_, units => units_asked($charges{$_}[0])} } sort { $a <=> $b } keys %charges;
    my %owed  = map { $_ => {units => units_asked($charges{$_}[1]), renews => $charges{$_}[2]} } keys %charges;
    return [map { [map { $_->{charge_id} } @$_] } credits_for(\@asked, \%owed)];
}

is_deeply groups(1  => ['6', '6'],     2 => ['4', '4']),     [[1, 2]],   'whole charges are one credit';
is_deeply groups(1  => ['1', '6'],     2 => ['4', '4']),     [[2, 1]],   'the one that is paid in part comes last';
is_deeply groups(1  => ['1', '6'],     2 => ['1', '4']),     [[1], [2]], 'two in part are a credit each';
is_deeply groups(10 => ['4', '4'],     9 => ['6', '6']),     [[9, 10]],  'in the order of the ids, as numbers';
is_deeply groups(1  => ['0.1', '0.1'], 2 => ['0.2', '0.2']), [[1, 2]],   'a crumb that Koha rounds away does no harm';
is_deeply groups(1  => ['0.2', '0.2'], 2 => ['0.1', '0.1', 1]), [[2, 1]],
    'and loans are renewed first, while there is enough';
is_deeply groups(1 => ['0.1', '0.1', 1], 2 => ['0.2', '0.2', 1]), [[1], [2]],
    'where it would keep Koha from renewing, they are apart';
is_deeply groups(map { $_ => [('999999999.999999') x 2] } 1 .. 400), [map { [$_] } 1 .. 400],
    'and so are sums that Koha cannot reckon with';
is_deeply groups(1 => ['0.333', '0.333'], 2 => ['0.333', '0.333']), [[1, 2]], 'fractions of a cent';

subtest 'sums of cents are one credit, and land to the last place' => sub {
    for my $n (1 .. 400) {
        srand $n;
        my %charges = map { $_ => [(sprintf '%.2f', 0.01 + int(rand 2_000) / 100) x 2] } 1 .. 2 + $n % 6;
        my $plan    = groups(%charges);
        is @$plan, 1, "case $n" or last;
    }
};

is_deeply [
    too_much(
        [{charge_id => 1, units => 6}, {charge_id => 2, units => 1}, {charge_id => 3, units => 1}],
        {1 => {units => 5_000_000}, 2 => {units => 0}}
    )
    ],
    [{charge_id => 1, owed => '5.00'}, {charge_id => 2, owed => '0.00'}, {charge_id => 3, owed => undef}],
    'what each owes, and what is no open charge';
is_deeply [too_much([{charge_id => 1, units => 5}], {1 => {units => 6}})], [], 'more may be owed than is paid';

is_deeply [spread(500, 300, 400, 600)], [300, 200, 0], '5.00 over 3, 4 and 6';

done_testing;
