# SPDX-License-Identifier: GPL-3.0-or-later
package Koha::Plugin::Tillbridge::Register::Site;

# Tells a page of this Koha from a page of elsewhere: a session cookie alone does not say who wrote the request.

use Mojo::Base -strict, -signatures;
use Exporter qw(import);

our @EXPORT_OK = qw(address_of origin_of why_not_ours why_not_read);

# scheme://host[:port] of what a preference holds; Koha's manual lets it begin with the host.
sub origin_of ($address) {
    my $full = ($address // '') =~ m{\A[a-z]+://}i ? $address : 'https://' . ($address // '');
    my ($scheme, $host, $port) = $full =~ m{\A(https?)://([a-z0-9.-]+|\[[0-9a-f:]+\])(?::([0-9]{1,5}))?(?:/|\z)}i
        or return undef;
    ($scheme, $host) = (lc $scheme, lc $host);
    my $usual = $scheme eq 'https' ? 443 : 80;
    return "$scheme://$host" . (defined $port && $port != $usual ? ":$port" : '');
}

# An address for the bridge without the slash at its end, or undef. In clear text it must not leave this machine.
sub address_of ($text) {
    my $address = $text =~ s{/+\z}{}r;
    my ($scheme, $host) =
        $address =~ m{\A(https?)://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?\z}
        or return undef;
    return $scheme eq 'https' || $host =~ /\A(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])\z/ ? $address : undef;
}

# headers: what the request's header of that name says, or undef.
sub why_not_ours ($own, $headers) {
    my $type = $headers->('Content-Type') // '';
    return 'The body must be sent as application/json.' unless $type =~ m{\Aapplication/json\s*(?:;|\z)}i;
    my $origin = $headers->('Origin') // 'nowhere';
    return "This Koha's staff address is $own (staffClientBaseURL), and the request comes from $origin."
        if $origin ne $own;
    return why_not_read($headers);
}

# For what is only read: a page of elsewhere cannot see the answer, but need not be given one.
sub why_not_read ($headers) {
    my $from = $headers->('Sec-Fetch-Site') // 'same-origin';
    return $from eq 'same-origin' ? undef : "The request comes from another site ($from).";
}

1;
