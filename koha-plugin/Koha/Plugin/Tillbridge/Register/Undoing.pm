# SPDX-License-Identifier: GPL-3.0-or-later
package Koha::Plugin::Tillbridge::Register::Undoing;

# What reversals and refunds have in common: a reference of their own, a booking, and one transaction.

use Mojo::Base -strict, -signatures;
use Exporter qw(import);

use Koha::Plugin::Tillbridge::Register::Booking qw(locked);
use Koha::Plugin::Tillbridge::Register::Refused;
use Koha::Plugin::Tillbridge::Register::Shown       qw(shown);
use Koha::Plugin::Tillbridge::Register::Staff       qw(acting_for demand_rights);
use Koha::Plugin::Tillbridge::Register::Transaction qw(in_transaction);

our @EXPORT_OK = qw(note_of undo);

my $REFUSED = 'Koha::Plugin::Tillbridge::Register::Refused';

# how: {kind, content, rights, work => sub ($staff, $booking, $lines)}, where booking is shown as it is now and lines
# are its credits and charges, locked. Returns (201, result), or (200, result) where the reference was there already.
sub undo ($ledger, $order, $how) {
    my $row = $ledger->booking($order->{booking})
        // $REFUSED->throw(404, 'no_such_booking', 'Nothing was booked here under this reference.');
    return @{in_transaction(sub { _once($ledger, $order, $how, $row) })};
}

sub _once ($ledger, $order, $how, $row) {
    $ledger->lock_patron($row->{patron_id});
    my @credits = @{$row->{result}{credits}};
    my $lines   = locked((map { $_->{credit_id} } @credits), map { $_->{charge_id} } map { @{$_->{lines}} } @credits);
    if (my $known = $ledger->undoing($order->{reference})) {
        return [200, $known->{result}] if $known->{kind} eq $how->{kind} && $known->{content} eq $how->{content};
        $REFUSED->throw(409, 'other_content', 'This reference was used already, for something else.');
    }
    $ledger->add_undoing($how->{kind}, $order, $how->{content});
    my $result = acting_for(
        $order,
        sub ($staff) {
            demand_rights($staff, @{$how->{rights}});
            return $how->{work}->($staff, shown($ledger, $row), $lines);
        }
    );
    $ledger->finish_undoing($order->{reference}, $result);
    return [201, $result];
}

# What stands on every line that is made: why, and the reference to find it by.
sub note_of ($order) {
    return join ' ', grep { length } @$order{qw(reason reference)};
}

1;
