# SPDX-License-Identifier: GPL-3.0-or-later
package Wired;

# The plugin's routes as Koha wires them: by its openapi.json, to whoever Koha has let in.

use Mojo::Base -strict, -signatures;
use Mojo::JSON qw(encode_json);
use Mojolicious;
use Exporter qw(import);
use FakeKoha;
use Test::Mojo;

use Koha::Plugin::Tillbridge::Register;
use Koha::Plugin::Tillbridge::Register::Settings;

our @EXPORT = qw(answer_of settings wired);

our ($USER, $APP);

# A session of Anna at the desk, or with an account's header that of the bridge.
sub wired {
    FakeKoha::begin();
    $USER = undef;
    my $app = Mojolicious->new;
    $app->log->level('fatal');
    $app->routes->namespaces(['Koha::Plugin']);
    $app->hook(
        around_dispatch => sub ($next, $c) {
            my $number = $USER // (defined $c->req->headers->authorization ? 3 : 17);
            my $patron = Koha::Patrons->find($number);
            $c->stash('koha.user' => $patron);
            $FakeKoha::USERENV = {
                number      => $number,
                id          => $patron->userid,
                firstname   => $patron->firstname,
                surname     => $patron->surname,
                branch      => 'CPL',
                register_id => $number == 17 ? 2 : undef
            };
            $next->();
        }
    );
    my $spec = Koha::Plugin::Tillbridge::Register->new->api_routes;
    for my $path (keys %$spec) {
        $app->routes->any([uc $_] => "/api/v1/contrib/tillbridge$path")->to($spec->{$path}{$_}{'x-mojo-to'})
            for keys %{$spec->{$path}};
    }
    settings()->set('https://bridge.example.org', 'bridge');
    settings()->secrets->add;
    $APP = Test::Mojo->new($app);
    return $APP;
}

sub settings {
    return Koha::Plugin::Tillbridge::Register::Settings->new(plugin => Koha::Plugin::Tillbridge::Register->new);
}

# (status, JSON) of a request; a body makes it a POST.
sub answer_of ($path, $headers, $body = undef) {
    my @sent   = defined $body ? (POST => $headers, ref $body ? encode_json($body) : $body) : (GET => $headers);
    my $method = shift @sent;
    $APP->tx($APP->ua->start($APP->ua->build_tx($method => "/api/v1/contrib/tillbridge/$path", @sent)));
    return ($APP->tx->res->code, $APP->tx->res->json);
}

1;
