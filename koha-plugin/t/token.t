# SPDX-License-Identifier: GPL-3.0-or-later
use Mojo::Base -strict, -signatures;
use Digest::SHA  qw(hmac_sha256 sha256_hex);
use MIME::Base64 qw(decode_base64url encode_base64url);
use Mojo::JSON   qw(decode_json);
use Test::More;

use Koha::Plugin::Tillbridge::Register::Token qw(key_id random_hex signed);

my $secret = 'ab' x 32;
my $token  = signed({iss => 'https://staff.example.org', name => "Änna O'Näill 🎉 Пётр", exp => 90}, $secret);
my ($header, $claims, $mark) = split /\./, $token;

is_deeply decode_json(decode_base64url($header)),
    {alg => 'HS256', typ => 'JWT', kid => substr sha256_hex($secret), 0, 8}, 'the header names the key';
is decode_json(decode_base64url($claims))->{name}, "Änna O'Näill 🎉 Пётр", 'odd characters come through';
is decode_base64url($mark), hmac_sha256("$header.$claims", $secret),      'signed with the text of the secret';
unlike $token, qr/[^A-Za-z0-9._-]/, 'fit for a form and an address';
isnt signed({a => 1}, $secret), signed({a => 1}, 'cd' x 32), 'another secret, another mark';
isnt key_id($secret),           key_id('cd' x 32),           'and another name of the key';

# RFC 7515, appendix A.1: the same procedure gives the mark of the standard's own example.
my $example =
    'eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ';
my $key = decode_base64url('AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow');
is encode_base64url(hmac_sha256($example, $key)), 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk',
    "the standard's example";

like random_hex(32), qr/\A[0-9a-f]{64}\z/, 'chance as hex digits';
isnt random_hex(16), random_hex(16), 'never the same';

done_testing;
