# SPDX-License-Identifier: GPL-3.0-or-later
use Mojo::Base -strict, -signatures;
use Test::More;
use lib 'koha-plugin/t/lib';
use Desk;

# A charge, and what is booked on it.
sub paid ($amount, $booked = $amount) {
    my $id = FakeKoha::charge(amount => $amount);
    booked(lines($id => $booked));
    return $id;
}

sub left {
    return FakeKoha::value(
        "SELECT COUNT(*) FROM accountlines WHERE credit_type_code = 'REFUND' OR debit_type_code = 'PAYOUT'");
}

subtest 'a refund is a REFUND on the charge and a PAYOUT of it' => sub {
    afresh();
    my $id = paid('10.00');
    my ($status, $refund) = given_back(lines($id => '4.00'));
    is $status, 201, 'now';
    my $line = $refund->{lines}[0];
    is_deeply $refund,
        {
        reference => 'tillbridge:a1:refund:1',
        booking   => 'tillbridge:a1',
        lines     =>
            [{charge_id => $id, amount => '4.00', refund_id => $line->{refund_id}, payout_id => $line->{payout_id}}]
        },
        'what was made';
    my ($made)   = FakeKoha::rows('SELECT * FROM accountlines WHERE accountlines_id = ?', $line->{refund_id});
    my ($payout) = FakeKoha::rows('SELECT * FROM accountlines WHERE accountlines_id = ?', $line->{payout_id});
    is_deeply [@$made{qw(credit_type_code amount amountoutstanding status manager_id branchcode note)}],
        ['REFUND', '-4.000000', '0.000000', 'PAID', 17, 'CPL', 'Wrong fine tillbridge:a1:refund:1'], 'the refund';
    is_deeply [@$payout{qw(debit_type_code amount amountoutstanding payment_type register_id manager_id note)}],
        ['PAYOUT', '4.000000', '0.000000', 'KASSA', 2, 17, 'Wrong fine tillbridge:a1:refund:1'], 'the payout';
    is FakeKoha::owed($id), '0.000000', 'the charge owes what it owed';
    is FakeKoha::value('SELECT status FROM accountlines WHERE accountlines_id = ?', $id), 'REFUNDED',
        'and says that it was refunded';
    is_deeply [(given_back(lines($id => '4')))[0], left()],  [200, 2],  'a repeat finds it done';
    is_deeply +(booked(lines($id => '10.00')))[1]{refunds}, [$refund], 'the booking tells of it';
};

subtest 'a charge that still owes as much: the money is given back all the same' => sub {
    afresh();
    my $id = paid('10.00', '4.00');
    given_back(lines($id => '4.00'));
    is FakeKoha::owed($id), '6.000000', 'it owes what it owed';
    is left(),              2,          'and what was paid is paid out';
};

subtest 'several refunds, down to the last crumb and no further' => sub {
    afresh();
    my $id = paid('0.30');
    given_back(lines($id => '0.10'), reference => 'tillbridge:a1:refund:1');
    given_back(lines($id => '0.20'), reference => 'tillbridge:a1:refund:2');
    is_deeply refusal(sub { given_back(lines($id => '0.000001'), reference => 'tillbridge:a1:refund:3') }),
        [409, 'more_than_booked', {left => [{charge_id => $id, amount => '0.00'}]}], 'nothing is left';
    is left(), 4, 'two of each';
};

subtest 'never more than was booked' => sub {
    afresh();
    my $id     = paid('10.00', '4.00');
    my $other  = FakeKoha::charge(amount => '5.00');
    my $before = FakeKoha::books();
    is_deeply refusal(sub { given_back($_) }),
        [409, 'more_than_booked', {left => [{charge_id => $id, amount => '4.00'}]}], 'refused'
        for lines($id => '4.01'), lines($id => '10.00'), lines($other => '1.00'), lines($id => '1.00', 999 => '1.00');
    is FakeKoha::books(), $before, 'nothing changed';
};

subtest 'what a librarian refunded or discounted by hand counts' => sub {
    afresh();
    my $id      = paid('10.00');
    my $by_hand = FakeKoha::charge(amount => '-7.00', debit_type_code => undef, credit_type_code => 'REFUND');
    Koha::Account::Offset->new({credit_id => $by_hand, debit_id => $id, type => 'APPLY', amount => 0})->store;
    is_deeply refusal(sub { given_back(lines($id => '4.00')) })->[2], {left => [{charge_id => $id, amount => '3.00'}]},
        '3.00 of 10.00 is left';
    is((given_back(lines($id => '3.00')))[0], 201, 'and can be given back');
};

subtest 'a voided booking cannot be refunded' => sub {
    afresh();
    my $id = paid('10.00');
    taken_back();
    is_deeply refusal(sub { given_back(lines($id => '1.00')) }), [409, 'void', {}], 'refused';
};

subtest 'both rights are needed' => sub {
    for my $rights ({refund => 1}, {payout => 1}, {remaining_permissions => 1}) {
        afresh();
        my $id = paid('10.00');
        $FakeKoha::RIGHTS{18} = $rights;
        is refusal(sub { given_back(lines($id => '1.00'), staff_id => 18) })->[1], 'not_allowed', "only @{[%$rights]}";
        is left(),                                                                 0,             'nothing is recorded';
    }
};

subtest 'nobody named: the account itself, if it has the rights' => sub {
    afresh();
    my $id = paid('10.00');
    is refusal(sub { given_back(lines($id => '1.00'), staff_id => undef) })->[1], 'not_allowed', 'it has not';
    $FakeKoha::RIGHTS{3} = {refund => 1, payout => 1};
    is((given_back(lines($id => '1.00'), staff_id => undef))[0], 201, 'it has');
};

subtest 'Koha wants a register for cash' => sub {
    afresh();
    my $id = paid('10.00');
    $FakeKoha::PREFERENCE{UseCashRegisters} = 1;
    is_deeply refusal(sub { given_back(lines($id => '1.00'), payout_type => 'CASH', register_id => undef) }),
        [422, 'register_unknown', {}], 'none was named';
    is left(), 0, 'nothing is recorded';
    is((given_back(lines($id => '1.00'), payout_type => 'CASH'))[0], 201, 'with one it goes');
};

subtest 'a reference is for one refund' => sub {
    afresh();
    my $id = paid('10.00');
    given_back(lines($id => '1.00'));
    is refusal(sub { given_back(lines($id => '2.00')) })->[1], 'other_content', 'of one sum';
    is refusal(sub { given_back(lines($id => '1.00'), booking => 'tillbridge:zz') })->[1], 'no_such_booking',
        'of a booking that there is';
};

subtest 'a step that fails undoes all of it' => sub {
    for my $fails (['Koha dies', sub { state $n; die "out of order\n" if $n++ }],
        ['something is left', sub ($payout) { $payout->amountoutstanding('1')->store }])
    {
        afresh();
        my ($one, $two) = map { FakeKoha::charge(amount => '5.00') } 1, 2;
        booked(lines($one => '5.00', $two => '5.00'));
        my $before = FakeKoha::books();
        local $SIG{__WARN__} = sub { };
        $FakeKoha::HOOK{payout} = $fails->[1];
        is refusal(sub { given_back(lines($one => '1.00', $two => '1.00')) })->[1], 'not_recorded', $fails->[0];
        is FakeKoha::books(),                                                       $before,        'nothing changed';
    }
};

done_testing;
