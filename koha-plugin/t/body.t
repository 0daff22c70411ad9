# SPDX-License-Identifier: GPL-3.0-or-later
use Mojo::Base -strict, -signatures;
use Mojo::JSON qw(decode_json encode_json from_json);
use Test::More;

use Koha::Plugin::Tillbridge::Register::Body qw(checked %BOOKING %HANDOVER %REFUND %REVERSAL);

my %good = (
    booking =>
        '{"reference": "tillbridge:1", "patron_id": 51, "lines": [{"charge_id": 9, "amount": "6.00"}], "library_id": "CPL",
        "staff_id": null, "register_id": 2, "payment_type": "KASSA", "description": "", "note": "Änna 🎉 tillbridge:1"}',
    reversal =>
        '{"reference": "r", "booking": "b", "staff_id": null, "library_id": "CPL", "register_id": null, "reason": ""}',
    refund =>
        '{"reference": "r", "booking": "b", "lines": [{"charge_id": 9, "amount": "0.333"}], "payout_type": "CASH", "staff_id": 17,
        "library_id": "CPL", "register_id": null, "reason": "x"}',
    handover => '{"patron_id": 51, "charge_ids": [], "amount": null, "from": "pay"}',
);
my %shape = (booking => \%BOOKING, reversal => \%REVERSAL, refund => \%REFUND, handover => \%HANDOVER);

for my $name (sort keys %good) {
    utf8::encode(my $json = $good{$name});
    my ($clean, $wrong) = checked($shape{$name}, decode_json($json));
    is $wrong, undef, "a $name is understood";
}

# A change of one member, as JSON; the good ones stay as they are.
sub why ($name, $member, $json) {
    utf8::encode(my $body = $good{$name});
    my $changed = decode_json($body);
    if (defined $json) { $changed->{$member} = from_json("[$json]")->[0] }
    else               { delete $changed->{$member} }
    return (checked($shape{$name}, decode_json(encode_json($changed))))[1];
}

like why(@$_), qr/\A"\Q$_->[1]\E"/, "$_->[1]: " . encode_json([$_->[2]]) . ' is refused'
    for map { [booking => @$_] } ['reference', '""'], ['reference', '"a b"'], ['reference', '"' . 'a' x 81 . '"'],
    ['reference', '7'], ['reference', '"ä"'], ['reference', undef],
    ['patron_id',    '"51"'], ['patron_id', '51.5'], ['patron_id', '0'], ['patron_id', '-1'], ['patron_id', 'null'],
    ['patron_id',    'true'],
    ['patron_id',    '99999999999'], ['lines', '[]'], ['lines', '{}'],
    ['lines',        '[{"charge_id": 9}]'],
    ['lines',        '[{"charge_id": 9, "amount": 6.00}]'], ['lines', '[{"charge_id": 9, "amount": "6,00"}]'],
    ['lines',        '[{"charge_id": 9, "amount": "0.00"}]'],
    ['lines',        '[{"charge_id": 9, "amount": "-1.00"}]'], ['lines', '[{"charge_id": "9", "amount": "6.00"}]'],
    ['lines',        '[{"charge_id": 9, "amount": "1"}, {"charge_id": 9, "amount": "1"}]'],
    ['lines',        '[{"charge_id": 9, "amount": "1", "x": 1}]'],
    ['library_id',   'null'], ['library_id', '"TOO-LONG-CODE"'], ['staff_id', '"17"'], ['staff_id', undef],
    ['register_id',  '[]'],
    ['payment_type', '""'], ['payment_type', '"' . 'x' x 81 . '"'], ['note', 'null'], ['description', '7'],
    ['card_number',  '"4111"'];

like why(handover => @$_), qr/\A"$_->[0]"/, "$_->[0]: $_->[1] is refused"
    for ['amount', '5'], ['amount', '"5.001"'], ['amount', '"1.234,50"'], ['from', '"pos"'], ['charge_ids', '["1"]'],
    ['charge_ids', '[1, 1]'], ['charge_ids', 'null'];

is +(checked(\%BOOKING, $_))[1], 'The body is no JSON object.', 'no object' for undef, [], 'text', 7;

done_testing;
