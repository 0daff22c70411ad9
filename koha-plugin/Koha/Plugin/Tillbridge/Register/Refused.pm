# SPDX-License-Identifier: GPL-3.0-or-later
package Koha::Plugin::Tillbridge::Register::Refused;

# Says no with an HTTP status, a code for programs and a sentence for people. Thrown inside a transaction it undoes it.

use Mojo::Base -base, -signatures;

has [qw(status code text)];
has more => sub { {} };

sub throw ($class, $status, $code, $text, %more) {
    die $class->new(status => $status, code => $code, text => $text, more => \%more);
}

sub is_in ($class, $error) {
    return ref $error && eval { $error->isa($class) }
}

sub body ($self) { return {error => $self->text, error_code => $self->code, %{$self->more}} }

1;
