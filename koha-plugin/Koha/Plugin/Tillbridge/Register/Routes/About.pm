# SPDX-License-Identifier: GPL-3.0-or-later
package Koha::Plugin::Tillbridge::Register::Routes::About;

# GET about: which plugin, which Koha, and what is set up.

use Mojo::Base 'Koha::Plugin::Tillbridge::Register::Controller', -signatures;
use Koha;

my $CONTRACT = 1;

sub show ($c) {
    return $c->answer(sub {
        $c->demand_account;
        return (
            200,
            {
                plugin    => $c->plugin->get_metadata->{version},
                contract  => $CONTRACT,
                koha      => Koha::version() . '',
                abilities => [$c->settings->abilities],
            }
        );
    });
}

1;
