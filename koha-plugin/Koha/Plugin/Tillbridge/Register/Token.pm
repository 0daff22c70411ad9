# SPDX-License-Identifier: GPL-3.0-or-later
package Koha::Plugin::Tillbridge::Register::Token;

# Signs JSON web tokens with HS256 (RFC 7515, RFC 7519). The key is the secret's text as people see it.

use Mojo::Base -strict, -signatures;
use Digest::SHA  qw(hmac_sha256 sha256_hex);
use Exporter     qw(import);
use MIME::Base64 qw(encode_base64url);
use Mojo::JSON   qw(encode_json);

our @EXPORT_OK = qw(key_id random_hex signed);

sub key_id ($secret) { return substr sha256_hex($secret), 0, 8 }

sub signed ($claims, $secret) {
    my %header = (alg => 'HS256', typ => 'JWT', kid => key_id($secret));
    my $said   = join '.', map { encode_base64url(encode_json($_)) } \%header, $claims;
    return "$said." . encode_base64url(hmac_sha256($said, $secret));
}

# The kernel's generator, so that nobody can guess what comes next.
sub random_hex ($bytes) {
    open my $source, '<:raw', '/dev/urandom' or die "There is no source of chance: $!\n";
    read($source, my $chance, $bytes) == $bytes or die "The source of chance gave too little.\n";
    return unpack 'H*', $chance;
}

1;
