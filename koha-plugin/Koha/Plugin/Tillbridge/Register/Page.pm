# SPDX-License-Identifier: GPL-3.0-or-later
package Koha::Plugin::Tillbridge::Register::Page;

# The page on which an administrator sets the plugin up. Koha guards it with the right plugins:configure.

use Mojo::Base -base, -signatures;
use Koha::Encryption;
use Koha::Patrons;
use Koha::Token;

use Koha::Plugin::Tillbridge::Register::Probe qw(asked);
use Koha::Plugin::Tillbridge::Register::Settings;
use Koha::Plugin::Tillbridge::Register::Site qw(address_of);

has 'plugin';
has settings => sub ($self) { Koha::Plugin::Tillbridge::Register::Settings->new(plugin => $self->plugin) };

# What a form may ask for, by its op. Newer Kohas want these to begin so, and want a token; older ones do not look.
my %ACTIONS = (
    'cud-save'   => '_save',
    'cud-secret' => '_make_secret',
    'cud-drop'   => '_drop_older',
    'cud-forget' => '_forget',
    'cud-test'   => '_test',
);

sub serve ($self) {
    my $action   = $ACTIONS{$self->_sent('op')};
    my %shown    = !$action ? () : $self->_is_own_form ? $self->$action : (wrong => 'stale');
    my $template = $self->plugin->get_template({file => 'configure.tt'});
    $template->param($self->_known, %shown, csrf_token => $self->_form_token);
    $self->plugin->output_html($template->output, undef, {force_no_caching => 1});
}

sub _known ($self) {
    my $settings = $self->settings;
    my @key_ids  = eval { Koha::Encryption->new; $settings->secrets->key_ids };
    return (
        bridge       => $settings->bridge,
        service_user => $settings->service_user,
        staff_origin => $settings->own_origin,
        key_ids      => \@key_ids,
        unreadable   => $@,
        version      => $self->plugin->get_metadata->{version},
    );
}

sub _save ($self) {
    my ($bridge, $user) = ($self->_sent('bridge'), $self->_sent('service_user'));
    my $address = $bridge eq ''     ? ''        : address_of($bridge);
    my $patron  = $user eq ''       ? undef     : Koha::Patrons->find({userid => $user});
    my $wrong   = !defined $address ? 'address' : $user ne '' && !$patron ? 'user' : undef;
    return (wrong => $wrong, bridge => $bridge, service_user => $user) if $wrong;
    $self->settings->set($address, $patron ? $patron->userid : '');
    return (done => 'saved', bridge => $address, service_user => $patron ? $patron->userid : '');
}

# Shown in this answer and never again.
sub _make_secret ($self) {
    my $secret = eval { $self->settings->secrets->add };
    return (wrong => 'unreadable') if $@;
    return defined $secret ? (done => 'made', secret => $secret, $self->_known) : (wrong => 'two');
}

sub _drop_older ($self) {
    my $dropped = eval { $self->settings->secrets->drop_older($self->_sent('key_id')) };
    return $dropped ? (done => 'dropped', $self->_known) : (wrong => 'one');
}

sub _forget ($self) {
    $self->settings->secrets->forget;
    return (done => 'forgotten', $self->_known);
}

sub _test ($self) {
    return (wrong => 'untestable') unless $self->settings->hands_over && $self->settings->own_origin;
    my @answers = eval { asked($self->settings) };
    return $@ ? (wrong => 'unreadable') : (answers => \@answers);
}

sub _sent ($self, $name) { return scalar($self->plugin->{cgi}->param($name)) // '' }

sub _session ($self) { return scalar $self->plugin->{cgi}->cookie('CGISESSID') }

sub _form_token ($self) { return Koha::Token->new->generate_csrf({session_id => $self->_session}) }

sub _is_own_form ($self) {
    my $is_posted = ($self->plugin->{cgi}->request_method // '') eq 'POST';
    return $is_posted
        && Koha::Token->new->check_csrf({session_id => $self->_session, token => $self->_sent('csrf_token')});
}

1;
