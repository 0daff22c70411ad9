# SPDX-License-Identifier: GPL-3.0-or-later
use Mojo::Base -strict, -signatures;
use Test::More;
use Mojo::File qw(curfile);
use Mojo::JSON qw(decode_json);
use Mojo::Util qw(url_escape);
use Wired;

# The table of requests and answers that the plugin, the bridge and the demo library share; its first lines explain it.
my $table = curfile->dirname->sibling('../tests/data/koha-plugin/exchanges.json');
plan skip_all => "there is no $table" unless -e $table;

my (%ids, %account);

sub meant ($value) {
    return {map { $_ => meant($value->{$_}) } keys %$value} if ref $value eq 'HASH';
    return [map { meant($_) } @$value]                      if ref $value eq 'ARRAY';
    return defined $value && exists $ids{$value} ? 0 + $ids{$value} : $value;
}

# What was found, as far as something is wanted of it.
sub of_it ($wanted, $found) {
    return {map { $_ => of_it($wanted->{$_}, $found->{$_}) } grep { exists $found->{$_} } keys %$wanted}
        if ref $wanted eq 'HASH' && ref $found eq 'HASH';
    return [map { of_it($wanted->[$_], $found->[$_]) } 0 .. $#$found]
        if ref $wanted eq 'ARRAY' && ref $found eq 'ARRAY';
    $ids{'@' . $1} = $ids{$wanted} = $found if defined $wanted && !ref $wanted && $wanted =~ /\A\@new:(.*)/;
    return $found;
}

sub line ($id) { return Koha::Account::Lines->find($id) }

sub paid ($type, $amount, $lines, %other) {
    return Koha::Account->new({patron_id => 51})
        ->pay({amount => $amount, lines => $lines, payment_type => $type, note => '', interface => 'intranet', %other});
}

my %BY_HAND = (
    void      => sub ($id, $step) { line($id)->void({interface => 'intranet', staff_id => 17, branch => 'CPL'}) },
    pay       => sub ($id, $step) { paid('CARD', line($id)->amountoutstanding, [line($id)]) },
    write_off => sub ($id, $step) { paid('OFF',  $step->{amount},              [line($id)]) },
    grow      => sub ($id, $step) {
        my $line = line($id);
        $line->$_($line->$_ + $step->{amount}) for qw(amount amountoutstanding);
        $line->store;
    },
    rest => sub ($patron_id, $step) {
        paid('K', $step->{amount}, [map { line($_) } @{meant($step->{charges})}], note => $step->{note});
    },
);

sub asked ($step) {
    my ($method, $route) = split ' ', $step->{ask};
    my $query = meant($step->{query} // {});
    $route .= '?' . join '&', map { "$_=" . url_escape $query->{$_} } sort keys %$query if %$query;
    my ($status, $answer) = answer_of($route, \%account, $method eq 'POST' ? meant($step->{body}) : undef);
    is $status, $step->{status}, $step->{ask} or diag explain $answer;
    my $told = of_it($step->{answer}, $answer);
    is_deeply $told, meant($step->{answer}), 'and its answer';
}

for my $case (@{decode_json($table->slurp)->{cases}}) {
    subtest $case->{case} => sub {
        wired();
        $FakeKoha::USERENV    = {number => 17, branch => 'CPL'};
        %account              = (Authorization => 'Basic YnJpZGdlOng=');
        %ids                  = ('@patron'     => 51, '@other' => 52, '@staff' => 17, '@weak' => 18, '@register' => 2);
        $FakeKoha::RIGHTS{18} = {remaining_permissions => 1};
        my $n = 0;
        $ids{'@' . ++$n} = FakeKoha::charge(amount => $_) for @{$case->{charges}};
        $ids{'@other1'} = FakeKoha::charge(amount => '9.00', borrowernumber => 52);

        for my $step (@{$case->{steps}}) {
            my ($hand) = grep { $BY_HAND{$_} } keys %$step;
            if    ($step->{ask}) { asked($step) }
            elsif ($step->{owed}) {
                is sprintf('%.2f', FakeKoha::owed($ids{$_})), $step->{owed}{$_}, "owed on $_"
                    for sort keys %{$step->{owed}};
            }
            else { $BY_HAND{$hand}->(meant($step->{$hand}), $step) }
        }
    };
}

done_testing;
