# SPDX-License-Identifier: GPL-3.0-or-later
use Mojo::Base -strict, -signatures;
use Test::More;
use lib 'koha-plugin/t/lib';
use Desk;

sub voids { return FakeKoha::value("SELECT COUNT(*) FROM accountlines WHERE debit_type_code = 'VOID'") }

# Two charges that are booked as two credits, since both are paid in part.
sub two_credits {
    afresh();
    my @ids = map { FakeKoha::charge(amount => $_) } '6.00', '4.00';
    my (undef, $booking) = booked(lines($ids[0] => '5.00', $ids[1] => '3.00'));
    return (\@ids, [map { $_->{credit_id} } @{$booking->{credits}}]);
}

subtest 'a booking is taken back whole, once' => sub {
    my ($ids,    $credits)  = two_credits();
    my ($status, $reversal) = taken_back();
    is $status, 201, 'now';
    is_deeply $reversal,
        {
        reference => 'tillbridge:a1:reversal',
        booking   => 'tillbridge:a1',
        credits   => $credits,
        by_hand   => Mojo::JSON->false
        },
        'both credits';
    is_deeply [map { FakeKoha::owed($_) } @$ids], ['6.000000', '4.000000'], 'all is owed again';
    my ($void) = FakeKoha::rows("SELECT * FROM accountlines WHERE debit_type_code = 'VOID'");
    is_deeply [@$void{qw(manager_id branchcode note)}], [17, 'CPL', 'Taken back at the till tillbridge:a1:reversal'],
        'by whom and why';
    is_deeply [(taken_back())[0], (taken_back(reason => 'x'))[0], voids()], [200, 200, 2], 'a repeat finds it done';
    is_deeply [map { $_->{reference} } @{(booked(lines($ids->[0] => '5.00', $ids->[1] => '3.00')))[1]{reversals}}],
        ['tillbridge:a1:reversal'], 'the booking tells of it';
};

subtest 'what was voided by hand is only noted' => sub {
    my ($ids, $credits) = two_credits();
    my $by_hand = {interface => 'intranet', staff_id => 18, branch => 'CPL'};
    Koha::Account::Lines->find($credits->[0])->void($by_hand);
    my ($status, $reversal) = taken_back();
    ok $status == 201 && $reversal->{by_hand}, 'one of them: the other is voided';
    is_deeply [voids(), map { FakeKoha::owed($_) } @$ids], [2, '6.000000', '4.000000'], 'none twice';
    ($ids, $credits) = two_credits();
    Koha::Account::Lines->find($_)->void($by_hand) for @$credits;
    ok +(taken_back())[1]{by_hand}, 'both of them';
    is voids(), 2, 'nothing more is voided';
};

subtest 'what was refunded cannot be taken back' => sub {
    my ($ids) = two_credits();
    given_back(lines($ids->[0] => '1.00'));
    my $before = FakeKoha::books();
    is_deeply refusal(sub { taken_back() }), [409, 'refunded', {}], 'by the bridge';
    is FakeKoha::books(), $before, 'nothing changed';
    ($ids) = two_credits();
    my $refund = FakeKoha::charge(amount => '-1.00', debit_type_code => undef, credit_type_code => 'REFUND');
    Koha::Account::Offset->new({credit_id => $refund, debit_id => $ids->[1], type => 'APPLY', amount => 0})->store;
    is refusal(sub { taken_back() })->[1], 'refunded', 'by hand';
};

subtest 'the right is that of the librarian, or of the account where nobody did it' => sub {
    my ($ids) = two_credits();
    my $before = FakeKoha::books();
    is_deeply refusal(sub { taken_back(staff_id => 18) }), [403, 'not_allowed', {}],
        'who may not take payments may not take them back';
    is FakeKoha::books(), $before, 'nothing changed';
    is refusal(sub { taken_back(staff_id   => 99) })->[1],    'staff_unknown',   'whom nobody knows';
    is refusal(sub { taken_back(library_id => 'XPL') })->[1], 'library_unknown', 'nor where';
    is((taken_back(staff_id => undef))[0], 201, 'the till by itself');
    is FakeKoha::value("SELECT manager_id FROM accountlines WHERE debit_type_code = 'VOID'"), 3,
        'in the name of the account';
};

subtest 'references are not mixed up' => sub {
    my ($ids) = two_credits();
    is_deeply refusal(sub { taken_back(booking => 'tillbridge:b') }), [404, 'no_such_booking', {}],
        'of what was never booked';
    my $third = FakeKoha::charge(amount => '1.00');
    booked(lines($third => '1.00'), reference => 'tillbridge:a2', note => '');
    taken_back();
    is refusal(sub { taken_back(booking => 'tillbridge:a2') })->[1], 'other_content', 'of another booking';
    is refusal(
        sub { given_back(lines($third => '1.00'), booking => 'tillbridge:a2', reference => 'tillbridge:a1:reversal') })
        ->[1], 'other_content', 'as a refund';
};

subtest 'a step that fails undoes all of it' => sub {
    my ($ids) = two_credits();
    my $before = FakeKoha::books();
    local $SIG{__WARN__} = sub { };
    my $n = 0;
    $FakeKoha::HOOK{void} = sub { die "out of order\n" if $n++ };
    is refusal(sub { taken_back() })->[1], 'not_recorded', 'the second credit';
    is FakeKoha::books(),                  $before,        'nothing changed';
    %FakeKoha::HOOK = ();
    is((taken_back())[0], 201, 'it can be done again');
};

subtest 'credits that Koha has deleted are not there' => sub {
    my ($ids, $credits) = two_credits();
    FakeKoha::run('DELETE FROM accountlines WHERE accountlines_id = ?', $credits->[1]);
    is refusal(sub { taken_back() })->[1], 'no_such_booking', 'refused';
    is voids(),                            0,                 'with nothing voided';
};

done_testing;
