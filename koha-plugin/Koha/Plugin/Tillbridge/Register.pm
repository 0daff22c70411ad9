# SPDX-License-Identifier: GPL-3.0-or-later
package Koha::Plugin::Tillbridge::Register;

# Tillbridge in Koha: books, takes back and refunds what a till took, in Koha's own way, and hands charges over to it.

use Mojo::Base -strict, -signatures;
use base       qw(Koha::Plugins::Base);
use Mojo::JSON ();    # without names: Koha counts every function here as something that the plugin can do

use Koha::Plugin::Tillbridge::Register::Ledger;
use Koha::Plugin::Tillbridge::Register::Page;
use Koha::Plugin::Tillbridge::Register::Settings;

our $VERSION  = '0.1.0';
our $METADATA = {
    name            => 'Tillbridge',
    author          => 'The Tillbridge project',
    description     => 'Pay charges at the cash register: payments are booked in Koha exactly once.',
    version         => $VERSION,
    date_authored   => '2026-11-30',
    date_updated    => '2026-11-30',
    minimum_version => '22.11.00.000',
    maximum_version => undef,
    namespace       => 'tillbridge',
};

sub new ($class, $args = {}) {
    return $class->SUPER::new({%$args, metadata => {%$METADATA, class => $class}});
}

sub api_namespace ($self) { return 'tillbridge' }
sub api_routes    ($self, $args = undef) { return Mojo::JSON::decode_json($self->mbf_read('openapi.json')) }
sub static_routes ($self, $args = undef) { return Mojo::JSON::decode_json($self->mbf_read('staticapi.json')) }

sub install ($self, $args = undef) { return $self->_with_tables('create') }

# Tables are made where they are missing; a version that changes one does so here.
sub upgrade ($self, $args = undef) { return $self->_with_tables('create') }

# Koha forgets the settings itself. What was booked stays, with its references in the credits' notes.
sub uninstall ($self, $args = undef) { return $self->_with_tables('drop') }

sub configure ($self, $args = undef) { return Koha::Plugin::Tillbridge::Register::Page->new(plugin => $self)->serve }

# On every staff page; the script looks by itself whether the page is one of its own. Nothing is inline, for the sake
# of Kohas with a content security policy.
sub intranet_js ($self, $args = undef) {
    return '' unless Koha::Plugin::Tillbridge::Register::Settings->new(plugin => $self)->hands_over;
    return join "\n",
        map { qq{<script src="/api/v1/contrib/tillbridge/static/$_.js?v=$VERSION" defer></script>} }
        qw(settings tillbridge);
}

sub _with_tables ($self, $what) {
    Koha::Plugin::Tillbridge::Register::Ledger->new(plugin => $self)->$what;
    return 1;
}

1;
