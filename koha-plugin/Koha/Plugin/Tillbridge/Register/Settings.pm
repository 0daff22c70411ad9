# SPDX-License-Identifier: GPL-3.0-or-later
package Koha::Plugin::Tillbridge::Register::Settings;

# What an administrator set, in the plugin's data.

use Mojo::Base -base, -signatures;
use C4::Context;

use Koha::Plugin::Tillbridge::Register::Secrets;
use Koha::Plugin::Tillbridge::Register::Site qw(origin_of);

has 'plugin';
has secrets => sub ($self) { Koha::Plugin::Tillbridge::Register::Secrets->new(plugin => $self->plugin) };

sub bridge       ($self) { return $self->plugin->retrieve_data('bridge')       // '' }
sub service_user ($self) { return $self->plugin->retrieve_data('service_user') // '' }

sub set ($self, $bridge, $service_user) {
    $self->plugin->store_data({bridge => $bridge, service_user => $service_user});
}

# Where this Koha's staff pages are, as an origin; undef where staffClientBaseURL does not say.
sub own_origin ($self) { return origin_of(C4::Context->preference('staffClientBaseURL')) }

sub hands_over ($self) { return $self->bridge ne '' && ($self->plugin->retrieve_data('secrets') // '') ne '' }

sub abilities ($self) {
    return ($self->service_user ne '' ? qw(book reverse refund look_up) : (), $self->hands_over ? 'hand_over' : ());
}

1;
