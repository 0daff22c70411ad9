# SPDX-License-Identifier: GPL-3.0-or-later
use Mojo::Base -strict, -signatures;
use Test::More;

use Koha::Plugin::Tillbridge::Register::Amount qw(cents_asked cents_of text_of text_of_cents units_asked units_kept);

is units_asked($_->[0]), $_->[1], "$_->[0] is $_->[1] millionths"
    for ['6.00', 6_000_000], ['0.333', 333_000], ['0', 0], ['999999999.999999', 999_999_999_999_999], ['0.000001', 1],
    ['7', 7_000_000];

is units_asked($_), undef, sprintf 'no amount: %vd', $_
    for '', '-1', '+1', '1e3', '.5', '5.', '06.00', '1,50', '1.0000001', '1000000000', ' 1', "1\n", "\x{663}", 'NaN',
    '0x10';

is units_kept('-7.200000'),  -7_200_000,  "Koha's credits are below zero";
is units_kept('123.000001'), 123_000_001, 'to the last place';
ok !eval { units_kept('1e-05'); 1 }, 'a float of the database is no amount';

is text_of($_->[0]), $_->[1], "$_->[0] millionths are $_->[1]"
    for [6_000_000, '6.00'], [333_000, '0.333'], [0, '0.00'], [1, '0.000001'], [-7_200_000, '-7.20'],
    [999_999_999_999_999, '999999999.999999'];

is units_asked(text_of($_)), $_, "$_ comes back" for 0, 1, 10, 99, 9_999, 10_000, 123_456_789, 100_000_000, 71_999_999;

is cents_of($_->[0]), $_->[1], "$_->[0] millionths are $_->[1] cents, half up"
    for [333_000, 33], [5_000, 1], [4_999, 0], [1_005_000, 101], [1_004_999, 100], [7_200_000, 720];

is cents_asked('5.00'),  500,    'what the page shows';
is cents_asked('5.005'), undef,  'half a cent is shown by no page';
is text_of_cents(66),    '0.66', 'cents as text';

done_testing;
