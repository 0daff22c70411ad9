# SPDX-License-Identifier: GPL-3.0-or-later
package Koha::Plugin::Tillbridge::Register::Routes::Handovers;

# POST handovers and GET state: tokens for the librarian's browser, which shows them to the bridge.

use Mojo::Base 'Koha::Plugin::Tillbridge::Register::Controller', -signatures;
use C4::Context;
use Koha::Patrons;

use Koha::Plugin::Tillbridge::Register::Body     qw(%HANDOVER);
use Koha::Plugin::Tillbridge::Register::Handover qw(look_claims pay_claims);
use Koha::Plugin::Tillbridge::Register::Site     qw(why_not_ours why_not_read);
use Koha::Plugin::Tillbridge::Register::Token    qw(signed);

sub add ($c) {
    return $c->answer(sub {
        $c->_demand_site(why_not_ours($c->_own_origin, sub ($name) { $c->req->headers->header($name) }));
        my $wish   = $c->body(\%HANDOVER);
        my $patron = $c->_patron($wish->{patron_id});
        my $claims = pay_claims(C4::Context->userenv, $c->_own_origin, $patron, $wish);
        return (201, {address => $c->settings->bridge . '/koha/hand-over', token => $c->_signed($claims)});
    });
}

sub look ($c) {
    return $c->answer(sub {
        $c->_demand_site(why_not_read(sub ($name) {
            $c->req->headers->header($name);
        }));
        my $patron_id = $c->param('patron_id') // '';
        $c->refuse(400, 'bad_request', '"patron_id" is none.') unless $patron_id =~ /\A[1-9][0-9]{0,9}\z/;
        my $claims = look_claims(C4::Context->userenv, $c->_own_origin, $c->_patron($patron_id)->borrowernumber);
        return (200, {address => $c->settings->bridge, token => $c->_signed($claims)});
    });
}

sub _own_origin ($c) {
    return $c->settings->own_origin
        // $c->refuse(409, 'not_set_up', 'The preference staffClientBaseURL names no address.');
}

# A session alone tells whose browser it is, not which page asks in it; and an account has no session.
sub _demand_site ($c, $why_not) {
    $why_not //= 'This is for a session, not for an account.' if defined $c->req->headers->authorization;
    $c->refuse(403, 'other_site', $why_not) if defined $why_not;
    $c->refuse(409, 'not_set_up', 'The plugin knows no bridge, or has no secret.') unless $c->settings->hands_over;
}

sub _patron ($c, $id) {
    my $patron = Koha::Patrons->find($id) // $c->refuse(404, 'patron_gone', 'Koha has no such patron.');
    return $patron if $c->stash('koha.user')->can_see_patron_infos($patron);
    $c->refuse(403, 'not_allowed', 'You may not see this patron.');
}

sub _signed ($c, $claims) { return signed($claims, $c->settings->secrets->signing) }

1;
