# SPDX-License-Identifier: GPL-3.0-or-later
package Koha::Plugin::Tillbridge::Register::Secrets;

# One secret, or while it is being changed two: the older signs until it is dropped, so that the bridge can be given
# the newer first. Kept encrypted with Koha's own key.

use Mojo::Base -base, -signatures;
use Koha::Encryption;
use Mojo::JSON qw(from_json to_json);

use Koha::Plugin::Tillbridge::Register::Token qw(key_id random_hex);

my $KEY  = 'secrets';
my $MOST = 2;

has 'plugin';

# The secrets, oldest first. Dies where they cannot be read, as with another encryption_key than they were kept with.
sub all ($self) {
    my $kept    = $self->plugin->retrieve_data($KEY) // '' or return ();
    my $secrets = eval { from_json(Koha::Encryption->new->decrypt_hex($kept)) };
    die "The secrets cannot be read: is encryption_key in koha-conf.xml another one than when they were made?\n"
        unless ref $secrets eq 'ARRAY' && !grep { !/\A[0-9a-f]{64}\z/ } @$secrets;
    return @$secrets;
}

sub signing ($self) { return ($self->all)[0] }

sub key_ids ($self) {
    return map { key_id($_) } $self->all;
}

# A new secret, or undef while two are kept already: the one that the bridge knows must not fall out.
sub add ($self) {
    my @secrets = $self->all;
    return undef if @secrets == $MOST;
    my $secret = random_hex(32);
    $self->_keep(@secrets, $secret);
    return $secret;
}

# Forgets the older one of two, if that is the one that is meant: a page that was loaded again must not drop the next.
sub drop_older ($self, $key_id) {
    my ($older, $newer) = $self->all;
    return 0 unless defined $newer && key_id($older) eq $key_id;
    $self->_keep($newer);
    return 1;
}

# For secrets that can no longer be read: begin again.
sub forget ($self) { $self->plugin->store_data({$KEY => ''}) }

sub _keep ($self, @secrets) {
    $self->plugin->store_data({$KEY => Koha::Encryption->new->encrypt_hex(to_json(\@secrets))});
}

1;
