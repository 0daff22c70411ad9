# SPDX-License-Identifier: GPL-3.0-or-later
package Koha::Plugin::Tillbridge::Register::Body;

# Checks what was sent before anything is done with it: each member by its kind, and none that is not known.

use Mojo::Base -strict, -signatures;
use B        ();
use Exporter qw(import);

use Koha::Plugin::Tillbridge::Register::Amount    qw(cents_asked units_asked);
use Koha::Plugin::Tillbridge::Register::Reference qw(is_reference);

our @EXPORT_OK = qw(checked %BOOKING %REVERSAL %REFUND %HANDOVER);

my $MOST_LINES = 500;
my $LARGEST_ID = 2_147_483_647;

our %BOOKING = (
    reference    => 'reference',
    patron_id    => 'id',
    lines        => 'lines',
    library_id   => 'code',
    staff_id     => 'id or null',
    register_id  => 'id or null',
    payment_type => 'type',
    description  => 'text',
    note         => 'text',
);
our %REVERSAL = (
    reference   => 'reference',
    booking     => 'reference',
    library_id  => 'code',
    staff_id    => 'id or null',
    register_id => 'id or null',
    reason      => 'text',
);
our %REFUND   = (%REVERSAL, lines => 'lines', payout_type => 'type');
our %HANDOVER = (patron_id => 'id', charge_ids => 'ids', amount => 'cents or null', from => 'page');

# Each returns the value as it will be used, or undef where it is not of the kind.
my %KIND = (
    'reference' => sub ($value) { _is_text($value) && is_reference($value) ? $value : undef },
    'id'        => sub ($value) { _is_id($value)                           ? $value : undef },
    'code'      => sub ($value) { _is_text($value) && $value =~ /\A\S{1,10}\z/              ? $value : undef },
    'type'      => sub ($value) { _is_text($value) && $value =~ /\A[^\s\p{Cntrl}].{0,79}\z/ ? $value : undef },
    'text'      => sub ($value) { _is_text($value) && length $value <= 10_000                       ? $value : undef },
    'page'      => sub ($value) { _is_text($value) && $value =~ /\A(?:paycollect|boraccount|pay)\z/ ? $value : undef },
    'lines'         => \&_lines,
    'ids'           => \&_ids,
    'cents or null' => sub ($value) { _is_text($value) ? cents_asked($value) : undef },
);

my %LIKE = (
    'reference'  => 'text of 1 to 80 letters, digits, ":", ".", "_" and "-"',
    'id'         => 'a whole number above zero',
    'id or null' => 'a whole number above zero, or null',
    'code'       => 'the code of a library',
    'type'       => 'text of 1 to 80 characters',
    'text'       => 'text of at most 10000 characters',
    'page'       => '"paycollect", "boraccount" or "pay"',
    'lines'      =>
        "1 to $MOST_LINES of {\"charge_id\": 9001, \"amount\": \"6.00\"}, each charge once and none with nothing",
    'ids'           => "at most $MOST_LINES whole numbers, each once",
    'cents or null' => 'text such as "6.00", or null',
);

# The body's members by the shape; what may be null is undef there. With it, or alone, the first thing that is wrong.
sub checked ($shape, $body) {
    return (undef, 'The body is no JSON object.') unless ref $body eq 'HASH';
    my ($unknown) = sort grep { !exists $shape->{$_} } keys %$body;
    return (undef, "\"$unknown\" is not known here.") if defined $unknown;
    my %clean;
    for my $name (sort keys %$shape) {
        my $kind = $shape->{$name};
        next if $kind =~ / or null\z/ && exists $body->{$name} && !defined $body->{$name};
        $clean{$name} = ($KIND{$kind} // $KIND{$kind =~ s/ or null\z//r})->($body->{$name});
        return (undef, "\"$name\" must be $LIKE{$kind}.") unless defined $clean{$name};
    }
    return (\%clean, undef);
}

sub _lines ($value) {
    return undef unless _is_list($value, 1);
    my (@lines, %seen);
    for my $line (@$value) {
        return undef unless ref $line eq 'HASH' && join(' ', sort keys %$line) eq 'amount charge_id';
        return undef unless _is_id($line->{charge_id}) && !$seen{$line->{charge_id}}++;
        my $units = _is_text($line->{amount}) ? units_asked($line->{amount}) : undef;
        return undef unless $units;
        push @lines, {charge_id => $line->{charge_id}, units => $units};
    }
    return \@lines;
}

sub _ids ($value) {
    return undef unless _is_list($value, 0);
    my %seen;
    return (grep { !_is_id($_) || $seen{$_}++ } @$value) ? undef : $value;
}

sub _is_list ($value, $least) { return ref $value eq 'ARRAY' && @$value >= $least && @$value <= $MOST_LINES }

# Perl takes "5" for 5; JSON does not, and neither may an amount be a number nor an id a text.
sub _is_text ($value) { return defined $value && !ref $value && B::svref_2object(\$value)->FLAGS & B::SVf_POK }

sub _is_id ($value) {
    return unless defined $value && !ref $value && !_is_text($value);
    return B::svref_2object(\$value)->FLAGS & B::SVf_IOK && $value >= 1 && $value <= $LARGEST_ID;
}

1;
