# SPDX-License-Identifier: GPL-3.0-or-later
package Koha::Plugin::Tillbridge::Register::Amount;

# Amounts are whole millionths, which is what Koha's decimal(28,6) holds. No float comes near them.

use Mojo::Base -strict, -signatures;
use Exporter qw(import);

our @EXPORT_OK = qw(units_asked units_kept text_of cents_of cents_asked text_of_cents);

# Nine digits before the point: with six after it, the fifteen that Perl's numbers carry exactly where Koha reckons.
my $ASKED = qr/\A(0|[1-9][0-9]{0,8})(?:\.([0-9]{1,6}))?\z/;

# What a caller writes, or undef if it is no amount.
sub units_asked ($text) {
    my ($whole, $part) = $text =~ $ASKED or return undef;
    return _units($whole, $part);
}

# What the database writes; it may be below zero.
sub units_kept ($text) {
    my ($sign, $whole, $part) = $text =~ /\A(-?)([0-9]{1,12})(?:\.([0-9]{1,6}))?\z/
        or die "This is no amount of Koha's: $text\n";
    return ($sign ? -1 : 1) * _units($whole, $part);
}

sub _units ($whole, $part) { return $whole * 1_000_000 + substr(($part // '') . '000000', 0, 6) }

# "6.00", "0.333": two places at least.
sub text_of ($units) {
    my $size = abs $units;
    my $part = sprintf '%06d', $size % 1_000_000;
    $part =~ s/0{1,4}\z//;
    return ($units < 0 ? '-' : '') . ($size - $size % 1_000_000) / 1_000_000 . ".$part";
}

# Half up, as the till is charged.
sub cents_of ($units) { return ($units + 5_000 - ($units + 5_000) % 10_000) / 10_000 }

# What the page shows, or undef if it is no sum of whole cents.
sub cents_asked ($text) {
    my $units = units_asked($text);
    return defined $units && $units % 10_000 == 0 ? $units / 10_000 : undef;
}

sub text_of_cents ($cents) { return text_of($cents * 10_000) }

1;
