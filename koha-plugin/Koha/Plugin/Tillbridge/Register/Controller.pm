# SPDX-License-Identifier: GPL-3.0-or-later
package Koha::Plugin::Tillbridge::Register::Controller;

# What all routes have in common: who may ask, what a body must look like, and how an answer is given.

use Mojo::Base 'Mojolicious::Controller', -signatures;
use C4::Context;

use Koha::Plugin::Tillbridge::Register;
use Koha::Plugin::Tillbridge::Register::Body qw(checked);
use Koha::Plugin::Tillbridge::Register::Ledger;
use Koha::Plugin::Tillbridge::Register::Refused;
use Koha::Plugin::Tillbridge::Register::Settings;

my $REFUSED = 'Koha::Plugin::Tillbridge::Register::Refused';

# What Koha says where it has no such route.
my @NO_ROUTE = (404, {errors => [{message => 'Not Found.', path => '/'}], status => 404});

has plugin   => sub { Koha::Plugin::Tillbridge::Register->new({}) };
has settings => sub ($c) { Koha::Plugin::Tillbridge::Register::Settings->new(plugin => $c->plugin) };
has ledger   => sub ($c) { Koha::Plugin::Tillbridge::Register::Ledger->new(plugin => $c->plugin) };

# Answers with what the work returns, (status, JSON), or with the reason why it did not come to that.
sub answer ($c, $work) {
    my ($status, $json) = eval { $c->_is_enabled ? $work->() : @NO_ROUTE };
    ($status, $json) = $c->_failed($@) unless defined $status;
    $c->res->headers->cache_control('no-store');
    return $c->render(status => $status, json => $json);
}

# For the service's own account, which shows itself with each request. In a librarian's browser any page could ask.
sub demand_account ($c) {
    return if defined $c->req->headers->authorization;
    $REFUSED->throw(403, 'not_allowed', 'This is for the account of the bridge, not for a session.');
}

# Whoever may take payments must not book or refund in a colleague's name: that is for the one account that is set.
sub demand_service ($c) {
    $c->demand_account;
    my $caller = $c->stash('koha.user');
    return if $caller && $c->settings->service_user ne '' && ($caller->userid // '') eq $c->settings->service_user;
    $REFUSED->throw(403, 'not_allowed', "This is for the bridge's account, which the plugin's settings name.");
}

sub body ($c, $shape) {
    my ($body, $wrong) = checked($shape, $c->req->json);
    $c->refuse(400, 'bad_request', $wrong) unless $body;
    return $body;
}

sub refuse ($c, @why) { return $REFUSED->throw(@why) }

# Routes stay until Koha is started again, and a plugin that is switched off must be as good as gone. One that was
# uninstalled must not even be made: Koha would install it anew.
sub _is_enabled ($c) {
    my $asked =
        C4::Context->dbh->prepare('SELECT plugin_value FROM plugin_data WHERE plugin_class = ? AND plugin_key = ?');
    $asked->execute('Koha::Plugin::Tillbridge::Register', '__ENABLED__');
    return grep { $_->[0] } @{$asked->fetchall_arrayref};
}

sub _failed ($c, $error) {
    return ($error->status, $error->body) if $REFUSED->is_in($error);
    warn "Tillbridge: $error";
    return (500, {error => 'Something went wrong, see the log of Koha.', error_code => 'internal_server_error'});
}

1;
