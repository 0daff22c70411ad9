# SPDX-License-Identifier: GPL-3.0-or-later
package Koha::Plugin::Tillbridge::Register::Transaction;

# Does something in one transaction of Koha's database, wholly or not at all, and says which of the two.

use Mojo::Base -strict, -signatures;
use Exporter    qw(import);
use Time::HiRes qw(sleep);

use Koha::Database;

use Koha::Plugin::Tillbridge::Register::Refused;

our @EXPORT_OK = qw(demand_transaction in_transaction);

my $REFUSED      = 'Koha::Plugin::Tillbridge::Register::Refused';
my $MOST_TRIES   = 5;
my $LONGEST_WAIT = 0.05;

# Two at once: the database ended one of them, or the other had the number first. All of it can be done again.
my $COLLISION = qr/Deadlock found|try restarting transaction|Record has changed since last read|Duplicate (?:entry|ID)/;
my $TOO_LONG  = qr/Lock wait timeout exceeded/;

# What Koha refuses by itself, by the class of its exception.
my %SAID_BY_KOHA = (
    'Koha::Exceptions::Account::PaymentTypeRequired' => ['payment_type_unknown', 'Koha wants a payment type.'],
    'Koha::Exceptions::Account::InvalidPaymentType'  =>
        ['payment_type_unknown', 'Koha does not know this payment type.'],
    'Koha::Exceptions::Account::RegisterRequired' => ['register_unknown', 'Koha wants a cash register for cash.'],
);

sub in_transaction ($work) {
    for my $try (1 .. $MOST_TRIES) {
        my ($result, $worked);
        my $ended = eval {
            Koha::Database->new->schema->txn_do(sub { $worked = 0; $result = $work->(); $worked = 1; return });
            1;
        };
        return $result if $ended;
        my $error = $@;
        die $error if $REFUSED->is_in($error);
        last if $error =~ $TOO_LONG;
        _give_up($error, $worked) unless $error =~ $COLLISION;
        sleep rand $LONGEST_WAIT * 2**$try;
    }
    $REFUSED->throw(503, 'busy', 'Others held what was needed for too long. Nothing was recorded.');
}

# Before each further step: where the connection was lost and made again, nothing holds what follows together.
sub demand_transaction {
    Koha::Database->new->schema->storage->transaction_depth or die "The transaction was lost on the way.\n";
}

sub _give_up ($error, $worked) {
    my $said = $SAID_BY_KOHA{ref $error};
    $REFUSED->throw(422, @$said) if $said;
    warn "Tillbridge: $error";
    die $error if $worked;    # the commit itself failed: nobody knows
    $REFUSED->throw(500, 'not_recorded', 'Koha failed; see its log. Nothing was recorded.');
}

1;
