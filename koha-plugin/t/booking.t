# SPDX-License-Identifier: GPL-3.0-or-later
use Mojo::Base -strict, -signatures;
use Test::More;
use lib 'koha-plugin/t/lib';
use Desk;

sub credits { return FakeKoha::value('SELECT COUNT(*) FROM accountlines WHERE credit_type_code IS NOT NULL') }

subtest 'a booking pays its charges and says so' => sub {
    afresh();
    my $id = FakeKoha::charge(amount => '6.00');
    my ($status, $booking) = booked(lines($id => '6.00'));
    is $status,             201,        'recorded now';
    is FakeKoha::owed($id), '0.000000', 'the charge is paid';
    is_deeply $booking->{credits},
        [{
        credit_id     => $id + 1,
        amount        => '6.00',
        unapplied     => '0.00',
        void          => Mojo::JSON->false,
        credit_number => undef,
        lines         => [{charge_id => $id, amount => '6.00'}]
        }],
        'the credit';
    my ($line) = FakeKoha::rows('SELECT * FROM accountlines WHERE accountlines_id = ?', $id + 1);
    is_deeply [@$line{qw(manager_id register_id branchcode payment_type interface note description)}],
        [17, 2, 'CPL', 'KASSA', 'api', 'Anna, receipt 7 tillbridge:a1', 'Paid at the register'],
        'who, where, how and what for';
    is $FakeKoha::USERENV->{number}, 3, 'whoever was at work is at work again';
};

subtest 'the same booking a hundred times is booked once' => sub {
    afresh();
    my $id       = FakeKoha::charge(amount => '6.00');
    my @statuses = map { (booked(lines($id => '6.00'), note => "try $_", staff_id => undef))[0] } 1 .. 100;
    is_deeply \@statuses, [201, (200) x 99], 'once now, then it was there';
    is credits(), 1, 'one credit';
};

subtest 'the order of the lines and the zeros of an amount make no other content' => sub {
    afresh();
    my ($one, $two) = map { FakeKoha::charge(amount => $_) } '6.00', '4.00';
    booked(lines($one => '6.00', $two => '4.00'));
    is((booked(lines($two => '4', $one => '6.0')))[0], 200, 'the same');
};

subtest 'other content under the same reference is refused' => sub {
    afresh();
    my ($one, $two) = map { FakeKoha::charge(amount => $_) } '6.00', '4.00';
    my $foreign = FakeKoha::charge(amount => '6.00', borrowernumber => 52);
    booked(lines($one => '5.00'));
    my $before = FakeKoha::books();
    is refusal(sub { booked($_->[0], @{$_->[1]}) })->[1], 'other_content', $_->[2]
        for [lines($one => '5.01'), [], 'another amount'], [lines($two => '5.00'), [], 'another charge'],
        [lines($one => '5.00', $two => '1.00'), [], 'one more'],
        [lines($foreign => '5.00'), [patron_id => 52], 'another patron'];
    is FakeKoha::books(), $before, 'nothing changed';
};

subtest 'charges that owe less are named and nothing is recorded' => sub {
    afresh();
    my ($one, $two, $paid) = map { FakeKoha::charge(amount => $_) } '6.00', '4.00', '2.00';
    FakeKoha::run("UPDATE accountlines SET amountoutstanding = '0.000000' WHERE accountlines_id = ?", $paid);
    my $foreign = FakeKoha::charge(amount => '9.00', borrowernumber => 52);
    my $before  = FakeKoha::books();
    my $why     = refusal(
        sub { booked(lines($one => '6.00', $two => '4.01', $paid => '1.00', $foreign => '9.00', 999 => '1.00')) });
    is_deeply $why,
        [
        409,
        'charges_changed',
        {
            charges => [
                {charge_id => $one, owed => '6.00'},
                {charge_id => $two, owed => '4.00'},
                map { {charge_id => $_, owed => undef} } $paid,
                $foreign, 999
            ]
        }
        ],
        'what each owes; what is no open charge of this patron';
    is FakeKoha::books(),                  $before, 'nothing changed';
    is ledger()->booking('tillbridge:a1'), undef,   'and the reference is free';
    is((booked(lines($one => '6.00')))[0], 201, 'for a booking that fits');
};

subtest 'a credit is no charge' => sub {
    afresh();
    my $credit = FakeKoha::charge(amount => '-6.00', debit_type_code => undef, credit_type_code => 'CREDIT');
    is refusal(sub { booked(lines($credit => '6.00')) })->[1], 'charges_changed', 'refused';
};

subtest 'partial sums land where they are meant to' => sub {
    afresh();
    my ($one, $two, $three) = map { FakeKoha::charge(amount => $_) } '3.00', '4.00', '6.00';
    my ($status, $booking) = booked(lines($one => '3.00', $two => '2.00'));
    is_deeply [map { FakeKoha::owed($_) } $one, $two, $three], ['0.000000', '2.000000', '6.000000'], '5.00 on 3 and 4';
    is @{$booking->{credits}}, 1, 'as one credit';
    ($status, $booking) =
        booked(lines($two => '1.00', $three => '1.50'), reference => 'tillbridge:a2', note => 'Anna tillbridge:a2');
    is_deeply [map { FakeKoha::owed($_) } $one, $two, $three], ['0.000000', '1.000000', '4.500000'], 'two in part';
    is_deeply [map { $_->{amount} } @{$booking->{credits}}], ['1.00', '1.50'], 'as a credit each';
    my @notes = map { FakeKoha::value('SELECT note FROM accountlines WHERE accountlines_id = ?', $_->{credit_id}) }
        @{$booking->{credits}};
    is_deeply \@notes, ['Anna tillbridge:a2:1', 'Anna tillbridge:a2:2'], 'each with a word of its own to be found by';
};

subtest 'fractions of a cent are paid to the last crumb' => sub {
    afresh();
    my @ids   = map { FakeKoha::charge(amount => $_) } '0.333', '0.1', '0.2', '0.000001';
    my $other = FakeKoha::charge(amount => '5.00');
    booked(lines($ids[0] => '0.333', $ids[1] => '0.1', $ids[2] => '0.2', $ids[3] => '0.000001'));
    is FakeKoha::owed($_),     '0.000000', "charge $_ is paid" for @ids;
    is FakeKoha::owed($other), '5.000000', 'the other charge is left alone';
    is FakeKoha::value('SELECT COUNT(*) FROM account_offsets WHERE debit_id = ?', $other), 0, 'wholly alone';
};

subtest 'crumbs of binary fractions stay nowhere' => sub {
    afresh();
    my ($one, $two) = map { FakeKoha::charge(amount => $_) } '6.00', '1.20';
    my $other = FakeKoha::charge(amount => '5.00');
    my (undef, $booking) = booked(lines($one => '6.00', $two => '1.20'));
    is @{$booking->{credits}}, 1, 'one credit';
    is_deeply [map { FakeKoha::owed($_) } $one, $two, $other], ['0.000000', '0.000000', '5.000000'], 'paid';
    is FakeKoha::value('SELECT COUNT(*) FROM account_offsets WHERE debit_id = ?', $other), 0,
        'without touching the other charge';
    $FakeKoha::PREFERENCE{RenewAccruingItemWhenPaid} = $FakeKoha::RENEWS = {success => 1};
    my @overdue = map { FakeKoha::charge(amount => $_, status => 'UNRETURNED', itemnumber => 7) } '0.1', '0.2';
    (undef, $booking) =
        booked(lines($overdue[0] => '0.1', $overdue[1] => '0.2'), reference => 'tillbridge:a2', note => '');
    is @{$booking->{effects}}, 2, 'and both loans are renewed';
};

subtest "what another booking has is not taken for one of plain REST" => sub {
    afresh();
    my ($one, $two, $three) = map { FakeKoha::charge(amount => $_) } '6.00', '4.00', '5.00';
    my @second = (reference => 'tillbridge:a1:1', note => 'Anna tillbridge:a1:1');
    booked(lines($one => '3.00', $two => '2.00'));
    is((booked(lines($three => '5.00'), @second))[0], 201, 'the first of the credits before is noted alike');
    is FakeKoha::owed($three), '0.000000', 'and pays nothing of this';
};

subtest 'of what plain REST made, each booking takes its own' => sub {
    afresh();
    my ($one, $two) = map { FakeKoha::charge(amount => $_) } '6.00', '4.00';
    my @second = (reference => 'tillbridge:a1:1', note => 'Anna tillbridge:a1:1');
    booked(lines($one => '6.00'));
    booked(lines($two => '4.00'), @second);
    FakeKoha::run('DELETE FROM ' . ledger()->bookings);
    for my $again ([lines($one => '6.00')], [lines($two => '4.00'), @second]) {
        my ($status, $booking) = booked(@$again);
        is_deeply [$status, scalar @{$booking->{credits}}], [200, 1], 'one';
    }
};

subtest 'a refund that names a payment is none' => sub {
    afresh();
    my ($one, $two) = map { FakeKoha::charge(amount => $_) } '6.00', '4.00';
    booked(lines($one => '6.00'));
    given_back(lines($one => '6.00'), reason => 'paid with tillbridge:a2 already');
    is((booked(lines($two => '4.00'), reference => 'tillbridge:a2', note => 'Anna tillbridge:a2'))[0], 201, 'recorded');
    is FakeKoha::owed($two), '0.000000', 'and paid';
};

subtest 'odd characters come through' => sub {
    afresh();
    my $id   = FakeKoha::charge(amount => '1.00');
    my $note = "Änna 'O\"Näill; DROP TABLE -- \\ %_ 🎉 Пётр\ttillbridge:a1";
    booked(lines($id => '1.00'), note => $note, description => $note);
    is FakeKoha::value('SELECT note FROM accountlines WHERE credit_type_code IS NOT NULL'), $note, 'unchanged';
};

subtest 'who and what is not known is refused, but not once it is booked' => sub {
    afresh();
    my $id     = FakeKoha::charge(amount => '6.00');
    my $before = FakeKoha::books();
    is_deeply refusal(sub { booked(lines($id => '6.00'), @$_) })->[1], $_->[0] =~ s/_id\z/_unknown/r, "$_->[0] $_->[1]"
        for [library_id => 'XPL'], [register_id => 9], [staff_id => 999];
    $FakeKoha::PREFERENCE{RequirePaymentType} = 1;
    is refusal(sub { booked(lines($id => '6.00'), payment_type => undef) })->[1], 'payment_type_unknown',
        'Koha wants a type';
    $FakeKoha::PREFERENCE{UseCashRegisters} = 1;
    is refusal(sub { booked(lines($id => '6.00'), payment_type => 'CASH', register_id => undef) })->[1],
        'register_unknown', 'Koha wants a register';
    is refusal(sub { booked(lines($id => '6.00'), patron_id => 999) })->[1], 'patron_gone', 'no such patron';
    is FakeKoha::books(),                                                    $before,       'nothing changed';
    booked(lines($id => '6.00'));
    is((booked(lines($id => '6.00'), library_id => 'XPL', staff_id => 999))[0], 200, 'a repeat asks for nothing of it');
    FakeKoha::run('DELETE FROM borrowers WHERE borrowernumber = 51');
    is((booked(lines($id => '6.00')))[0], 200, 'nor for the patron');
};

subtest 'nobody named: the account itself' => sub {
    afresh();
    my $id = FakeKoha::charge(amount => '6.00');
    booked(lines($id => '6.00'), staff_id => undef, register_id => undef);
    is FakeKoha::value('SELECT manager_id FROM accountlines WHERE credit_type_code IS NOT NULL'), 3,
        'it took the payment';
};

subtest 'a step that fails undoes all of it' => sub {
    for my $fails (
        ['Koha dies in the second credit', 'pay', sub { state $n; die "out of order\n" if $n++ % 2 }],
        [
            'another plugin moved the money',
            'paid',
            sub ($credit) { FakeKoha::run("UPDATE account_offsets SET debit_id = 1 WHERE credit_id = ?", $credit->id) }
        ],
        ['another plugin took some of it', 'paid', sub ($credit) { $credit->amountoutstanding('-1')->store }],
        [
            'a charge changed its mind',
            'paid',
            sub ($credit) {
                FakeKoha::run("UPDATE accountlines SET amountoutstanding = '3.000000' WHERE accountlines_id = 2");
            }
        ],
        [
            'the connection was lost and made again', 'pay',
            sub { $FakeKoha::DEPTH = 0 if !$FakeKoha::HOOK{n}++; return }
        ],
        )
    {
        afresh();
        my ($one, $two) = map { FakeKoha::charge(amount => $_) } '6.00', '4.00';
        my $before = FakeKoha::books();
        my $said   = '';
        local $SIG{__WARN__} = sub { $said .= $_[0] };
        $FakeKoha::HOOK{$fails->[1]} = $fails->[2];
        is_deeply refusal(sub { booked(lines($one => '5.00', $two => '3.00')) }), [500, 'not_recorded', {}],
            $fails->[0];
        like $said, qr/\ATillbridge: /, 'the log says why';
        is FakeKoha::books(),            $before, 'nothing is recorded';
        is $FakeKoha::USERENV->{number}, 3,       'and nobody else is at work';
        %FakeKoha::HOOK = ();
        is((booked(lines($one => '5.00', $two => '3.00')))[0], 201, 'it can be done again');
    }
};

subtest 'what collides is done again, and not for ever' => sub {
    for my $collision (
        "Deadlock found when trying to get lock; try restarting transaction\n",
        "Record has changed since last read in table 'borrowers'\n",
        "Duplicate entry 'tillbridge:a1' for key 'PRIMARY'\n"
        )
    {
        afresh();
        my $id    = FakeKoha::charge(amount => '6.00');
        my $tries = 0;
        $FakeKoha::HOOK{paid} = sub { die $collision if $tries++ < 3 };
        is((booked(lines($id => '6.00')))[0], 201, "done: $collision");
        is_deeply [$tries, credits()], [4, 1], 'at the fourth try, once';
    }
    afresh();
    my $id    = FakeKoha::charge(amount => '6.00');
    my $tries = 0;
    $FakeKoha::HOOK{paid} = sub { $tries++; die "Deadlock found\n" };
    is refusal(sub { booked(lines($id => '6.00')) })->[1], 'busy', 'given up';
    is_deeply [$tries, credits()], [5, 0], 'after the fifth, with nothing recorded';
    $tries = 0;
    $FakeKoha::HOOK{paid} = sub { $tries++; die "Lock wait timeout exceeded; try restarting transaction\n" };
    is refusal(sub { booked(lines($id => '6.00')) })->[1], 'busy', 'who waited that long is told at once';
    is $tries,                                             1,      'without another try';
};

subtest 'a deadlock that somebody hid is found' => sub {
    afresh();
    my $id    = FakeKoha::charge(amount => '6.00');
    my $tries = 0;
    $FakeKoha::HOOK{paid} = sub {
        return if $tries++;
        $FakeKoha::DBH->rollback;    # what the server does with a deadlock
        $FakeKoha::DBH->begin_work;
    };
    is((booked(lines($id => '6.00')))[0], 201, 'and done again, whole');
    is_deeply [credits(), FakeKoha::owed($id)], [1, '0.000000'], 'once';
};

subtest 'where the commit itself fails nobody claims to know' => sub {
    afresh();
    my $id = FakeKoha::charge(amount => '6.00');
    local $SIG{__WARN__} = sub { };
    $FakeKoha::HOOK{commit} = sub { die "MySQL server has gone away\n" };
    ok !eval { booked(lines($id => '6.00')); 1 }, 'an error';
    ok !ref $@,                                   'that says nothing about what is recorded';
};

subtest 'what Koha did with it is told' => sub {
    afresh();
    my $overdue = FakeKoha::charge(amount => '6.00',  status          => 'UNRETURNED', itemnumber => 7);
    my $lost    = FakeKoha::charge(amount => '20.00', debit_type_code => 'LOST',       itemnumber => 8);
    FakeKoha::run('INSERT INTO issues VALUES (8, 51)');
    @FakeKoha::PREFERENCE{qw(MarkLostItemsAsReturned UseEmailReceipts)} = (1, 1);
    $FakeKoha::RENEWS = {success => 0, error => 'too_many'};
    my (undef, $booking) = booked(lines($overdue => '6.00', $lost => '20.00'));
    is_deeply $booking->{effects},
        [
        {charge_id => $overdue, what => 'renewal_refused', why => 'too_many'},
        {charge_id => $lost,    what => 'returned',        why => undef}
        ],
        'effects';
    ok $booking->{receipt_sent}, 'a receipt goes out';
    my (undef, $again) = booked(lines($overdue => '6.00', $lost => '20.00'));
    is_deeply $again, $booking, 'a repeat tells the same';
    $FakeKoha::RENEWS = {success => 1};
    my $next = FakeKoha::charge(amount => '1.00', status => 'UNRETURNED', itemnumber => 9);
    (undef, $booking) = booked(lines($next => '1.00'), reference => 'tillbridge:a2');
    is_deeply $booking->{effects}, [{charge_id => $next, what => 'renewed', why => undef}], 'renewed';
};

subtest 'what plain REST had booked is adopted' => sub {
    afresh();
    my $id = FakeKoha::charge(amount => '6.00');
    Koha::Account->new({patron_id => 51})->pay(
        {
            amount       => '2.00',
            lines        => [Koha::Account::Lines->find($id)],
            note         => 'Anna tillbridge:a1:1',
            payment_type => 'K',
            interface    => 'api'
        }
    );
    Koha::Account->new({patron_id => 51})->pay(
        {
            amount       => '4.00',
            lines        => [Koha::Account::Lines->find($id)],
            note         => 'Anna tillbridge:a1:2',
            payment_type => 'K',
            interface    => 'api'
        }
    );
    my $before = FakeKoha::books();
    my ($status, $booking) = booked(lines($id => '6.00'));
    is $status, 200, 'it was there';
    is_deeply [map { $_->{amount} } @{$booking->{credits}}], ['2.00', '4.00'], 'with its credits';
    is FakeKoha::books(), $before, 'nothing is recorded';
    is((taken_back())[0], 201, 'and it can be taken back');
    is FakeKoha::owed($id), '6.000000', 'like any other';
};

done_testing;
