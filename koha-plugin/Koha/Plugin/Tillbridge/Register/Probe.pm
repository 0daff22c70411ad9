# SPDX-License-Identifier: GPL-3.0-or-later
package Koha::Plugin::Tillbridge::Register::Probe;

# Asks the bridge for the open payments of nobody, with a token of each secret: address, certificate and secrets in one.

use Mojo::Base -strict, -signatures;
use C4::Context;
use Exporter qw(import);
use Mojo::UserAgent;

use Koha::Plugin::Tillbridge::Register::Handover qw(look_claims);
use Koha::Plugin::Tillbridge::Register::Token    qw(key_id signed);

our @EXPORT_OK = qw(asked);

my $LIMIT_S = 5;

# {key_id, status, why} for each secret, oldest first; status is undef where there was no answer.
sub asked ($settings) {
    my $agent = Mojo::UserAgent->new(connect_timeout => $LIMIT_S, request_timeout => $LIMIT_S, max_redirects => 0);
    return map { _answer($agent, $settings, $_) } $settings->secrets->all;
}

sub _answer ($agent, $settings, $secret) {
    my $token   = signed(look_claims(C4::Context->userenv, $settings->own_origin, 0), $secret);
    my %headers = (Authorization => "Bearer $token", Origin => $settings->own_origin);
    my $done    = $agent->get($settings->bridge . '/koha/open-payments?patron=0' => \%headers);
    return {key_id => key_id($secret), status => $done->res->code, why => ($done->error // {})->{message}};
}

1;
