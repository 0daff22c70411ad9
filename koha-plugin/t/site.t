# SPDX-License-Identifier: GPL-3.0-or-later
use Mojo::Base -strict, -signatures;
use Test::More;

use Koha::Plugin::Tillbridge::Register::Site qw(address_of origin_of why_not_ours why_not_read);

is origin_of($_->[0]), $_->[1], "$_->[0] is at $_->[1]"
    for ['https://Staff.example.org/', 'https://staff.example.org'], ['staff.example.org', 'https://staff.example.org'],
    ['https://staff.example.org:443',  'https://staff.example.org'],
    ['http://127.0.0.1:8081/cgi-bin',  'http://127.0.0.1:8081'],
    ['https://staff.example.org:8443', 'https://staff.example.org:8443'], ['http://[::1]:81', 'http://[::1]:81'];
is origin_of($_), undef, 'no address: ' . ($_ // 'none')
    for undef, '', 'ftp://x', 'https://user@x', 'https://', 'https://a b';

is address_of($_->[0]), $_->[1], "$_->[0] is taken"
    for ['https://bridge.example.org/', 'https://bridge.example.org'],
    ['https://x.fi:8443/till', 'https://x.fi:8443/till'],
    ['http://localhost:8470', 'http://localhost:8470'], ['http://127.0.0.1:8470', 'http://127.0.0.1:8470'];
is address_of($_), undef, "$_ is refused"
    for 'http://bridge.example.org', 'https://u:p@x.fi', 'https://x.fi/?a=1', 'https://x.fi/#a', 'javascript:alert(1)',
    'x.fi', 'https://x.fi/"><script>', "https://x.fi\n";

my $own = 'https://staff.example.org';

sub why (%headers) {
    return why_not_ours($own, sub ($name) { {'Content-Type' => 'application/json', Origin => $own, %headers}->{$name} });
}

is why(), undef, "a page of Koha's";
is why('Content-Type' => 'application/json; charset=utf-8', 'Sec-Fetch-Site' => 'same-origin'), undef,
    'with what browsers add';
ok defined why(@$_), "refused: @{[map { $_ // 'none' } @$_]}"
    for [Origin => undef], [Origin => 'null'], [Origin => 'https://evil.example'],
    [Origin           => 'http://staff.example.org'], [Origin => "$own.evil.example"],
    ['Sec-Fetch-Site' => 'cross-site'], ['Sec-Fetch-Site' => 'same-site'], ['Sec-Fetch-Site' => 'none'],
    ['Content-Type'   => 'text/plain'],
    ['Content-Type'   => undef], ['Content-Type' => 'application/x-www-form-urlencoded'],
    ['Content-Type'   => 'application/jsonx'];
is why_not_read(sub { undef }), undef, 'an old browser may read';
ok defined why_not_read(sub { 'cross-site' }), 'another site may not';

done_testing;
