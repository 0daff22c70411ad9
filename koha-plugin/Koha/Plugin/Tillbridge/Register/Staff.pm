# SPDX-License-Identifier: GPL-3.0-or-later
package Koha::Plugin::Tillbridge::Register::Staff;

# Koha asks the process, not the caller, who is at work, and processes are shared: what is set is put back.

use Mojo::Base -strict, -signatures;
use Exporter qw(import);

use C4::Context;
use Koha::Cash::Registers;
use Koha::Libraries;
use Koha::Patrons;

use Koha::Plugin::Tillbridge::Register::Refused;

our @EXPORT_OK = qw(acting_for demand_rights);

my $REFUSED = 'Koha::Plugin::Tillbridge::Register::Refused';

# In the order of set_userenv. Kohas that know no session_id there do not look at it.
my @FIELDS = qw(number id cardnumber firstname surname branch branchname flags emailaddress
    shibboleth desk_id desk_name register_id register_name session_id);

# Does the work as the librarian whom the order names (nobody: the caller), at its library and cash register.
sub acting_for ($order, $work) {
    my ($staff, $library, $register) = _named($order);
    my %before = %{C4::Context->userenv // die "Nobody is signed in.\n"};
    C4::Context->set_userenv(_fields($staff, $library, $register));
    my $result;
    my $worked = eval { $result = $work->($staff); 1 };
    my $error  = $@;
    C4::Context->set_userenv(@before{@FIELDS});
    die $error unless $worked;
    return $result;
}

sub demand_rights ($staff, @rights) {
    for my $right (@rights) {
        next if $staff->has_permission({updatecharges => $right});
        $REFUSED->throw(403, 'not_allowed', "This librarian lacks the right updatecharges:$right in Koha.");
    }
}

sub _named ($order) {
    my $number   = $order->{staff_id}                          // C4::Context->userenv->{number};
    my $staff    = Koha::Patrons->find($number)                // _unknown('staff',   $number);
    my $library  = Koha::Libraries->find($order->{library_id}) // _unknown('library', $order->{library_id});
    my $register = defined $order->{register_id}
        && (Koha::Cash::Registers->find($order->{register_id}) // _unknown('register', $order->{register_id}));
    return ($staff, $library, $register || undef);
}

sub _unknown ($what, $name) { $REFUSED->throw(422, "${what}_unknown", "Koha knows no $what $name.") }

sub _fields ($staff, $library, $register) {
    return (
        $staff->borrowernumber,                                        $staff->userid,
        $staff->cardnumber,                                            $staff->firstname,
        $staff->surname,                                               $library->branchcode,
        $library->branchname,                                          $staff->flags,
        $staff->email,                                                 undef,
        undef,                                                         undef,
        $register ? ($register->id, $register->name) : (undef, undef), undef,
    );
}

1;
