# SPDX-License-Identifier: GPL-3.0-or-later
use Mojo::Base -strict, -signatures;
use Test::More;
use lib 'koha-plugin/t/lib';
use Desk;
use Koha::Plugin::Tillbridge::Register::Shown qw(lookup);

sub found ($reference, $patron_id = undef) {
    return map { $_->{reference} } lookup(ledger(), $reference, $patron_id);
}

subtest 'a reference finds its booking and those with a number behind it' => sub {
    afresh();
    my $id = FakeKoha::charge(amount => '9.00');
    booked(lines($id => '1.00'), reference => $_, note => $_)
        for 'tillbridge:a1', 'tillbridge:a1:2', 'tillbridge:a11', 'tillbridge:axb';
    is_deeply [found('tillbridge:a1')],  ['tillbridge:a1', 'tillbridge:a1:2'], 'no others';
    is_deeply [found('tillbridge:a_b')], [],                                   '"_" is a letter like any other';
    is_deeply [found('TILLBRIDGE:A1')],  [],                                   'and letters are large or small';
    is_deeply [found('tillbridge:b')],   [],                                   'nothing is an empty list';
};

subtest 'a credit that stands in a note alone is found with its patron' => sub {
    afresh();
    my $id = FakeKoha::charge(amount => '9.00');
    booked(lines($id => '1.00'));
    Koha::Account->new({patron_id => 51})->pay(
        {
            amount       => '2.00',
            lines        => [Koha::Account::Lines->find($id)],
            note         => "Anna $_",
            payment_type => 'K',
            interface    => 'api'
        }
    ) for 'tillbridge:a1:2', 'tillbridge:a11', 'TILLBRIDGE:A1';
    is_deeply [found('tillbridge:a1')], ['tillbridge:a1'], 'without the patron only what the plugin booked';
    is_deeply [found('tillbridge:a1', 51)], ['tillbridge:a1', 'tillbridge:a1:2'], 'with the patron both, each once';
    is_deeply [found('tillbridge:a1', 52)], ['tillbridge:a1'],                    'another patron has no such credit';
    my (undef, $noted) = lookup(ledger(), 'tillbridge:a1', 51);
    is_deeply $noted->{credits}[0]{lines}, [{charge_id => $id, amount => '2.00'}], 'and where it landed';
};

subtest 'a booking is shown as it is now' => sub {
    afresh();
    my $id = FakeKoha::charge(amount => '6.00');
    my (undef, $booking) = booked(lines($id => '6.00'));
    Koha::Account::Lines->find($booking->{credits}[0]{credit_id})
        ->void({interface => 'intranet', staff_id => 18, branch => 'CPL'});
    my ($now) = lookup(ledger(), 'tillbridge:a1', undef);
    ok $now->{credits}[0]{void}, 'voided by hand';
    is_deeply $now->{credits}[0]{lines}, [], 'and pays nothing any more';
};

subtest 'lines that Koha has deleted stand as they were' => sub {
    afresh();
    my $id = FakeKoha::charge(amount => '6.00');
    my (undef, $booking) = booked(lines($id => '6.00'));
    FakeKoha::run('DELETE FROM accountlines WHERE accountlines_id = ?', $id);
    FakeKoha::run('DELETE FROM account_offsets');
    is_deeply +(lookup(ledger(), 'tillbridge:a1', undef))[0], $booking, 'the charge is gone';
    FakeKoha::run('DELETE FROM accountlines');
    is_deeply +(lookup(ledger(), 'tillbridge:a1', undef))[0], $booking, 'all is gone';
};

done_testing;
