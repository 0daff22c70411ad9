# SPDX-License-Identifier: GPL-3.0-or-later
use Mojo::Base -strict, -signatures;
use Test::More;
use Digest::SHA  qw(hmac_sha256);
use MIME::Base64 qw(decode_base64url encode_base64url);
use Mojo::JSON   qw(decode_json);
use Wired;

my %page =
    ('Content-Type' => 'application/json', Origin => 'https://staff.example.org', 'Sec-Fetch-Site' => 'same-origin');

sub wish (%other) { return {patron_id => 51, charge_ids => [], amount => undef, from => 'pay', %other} }

sub claims_of ($token) { return decode_json(decode_base64url((split /\./, $token)[1])) }

sub is_signed ($token, $secret) {
    my ($header, $claims, $mark) = split /\./, $token;
    return $mark eq encode_base64url(hmac_sha256("$header.$claims", $secret));
}

subtest 'the charges of a patron are handed over, signed' => sub {
    wired();
    my ($one, $two) = (
        FakeKoha::charge(amount => '6.00',  description     => 'Änna 🎉 <b>'),
        FakeKoha::charge(amount => '0.333', debit_type_code => 'LOST')
    );
    FakeKoha::charge(amount => '9.00', borrowernumber => 52);
    my ($status, $answer) = answer_of('handovers', \%page, wish(amount => '6.33'));
    is $status,            201,                                         'made';
    is $answer->{address}, 'https://bridge.example.org/koha/hand-over', 'for the bridge';
    ok is_signed($answer->{token}, settings()->secrets->signing), 'with the secret';
    my $claims = claims_of($answer->{token});
    cmp_ok abs($claims->{iat} - time), '<', 60, 'made now';
    is $claims->{exp} - $claims->{iat}, 90, 'good for 90 seconds';
    like delete $claims->{jti}, qr/\A[0-9a-f]{32}\z/, 'to be shown once';
    delete @$claims{qw(iat exp)};
    is_deeply $claims,
        {
        iss      => 'https://staff.example.org',
        aud      => 'tillbridge',
        scope    => 'pay',
        library  => 'CPL',
        register => 2,
        currency => 'EUR',
        from     => 'pay',
        staff    => {id => 17, userid => 'anna',  name => 'Änna Ahlström'},
        patron   => {id => 51, card   => '12345', name => "Пётр O'Näill", restricted => Mojo::JSON->false},
        lines    => [
            {id => $one, type => 'OVERDUE', description => 'Änna 🎉 <b>', owed => '6.00',  amount => '6.00'},
            {id => $two, type => 'LOST',    description => '',           owed => '0.333', amount => '0.33'},
        ],
        amount => '6.33',
        },
        'what it says';
    my ($again) = (answer_of('handovers', \%page, wish()))[1]{token};
    isnt claims_of($again)->{jti}, claims_of($answer->{token})->{jti}, 'each has its own number';
};

# What a wish makes of charges of 3, 4, 6, 0.333, 0.333 and 0.004: [[nth, amount]...], sum.
sub handed_over (%wish) {
    wired();
    my @ids = map { FakeKoha::charge(amount => $_) } '3.00', '4.00', '6.00', '0.333', '0.333', '0.004';
    $wish{charge_ids} = [map { $ids[$_ - 1] } @{$wish{charge_ids}}] if $wish{charge_ids};
    my ($status, $answer) = answer_of('handovers', \%page, wish(%wish));
    return [$status, $answer->{error_code}] if $status != 201;
    my $claims = claims_of($answer->{token});
    my %nth    = map { $ids[$_] => $_ + 1 } 0 .. $#ids;
    return [(map { [$nth{$_->{id}}, $_->{amount}] } @{$claims->{lines}}), $claims->{amount}];
}

is_deeply handed_over(@{$_->[0]}), $_->[1],
    $_->[2]
    for [
    [charge_ids => [3, 1, 2], amount => '5.00'],
    [[1, '3.00'], [2, '2.00'], '5.00'],
    'a part, in the order of the ids'
    ],
    [[charge_ids => [3, 1]], [[1, '3.00'], [3, '6.00'], '9.00'], 'two of them'],
    [[charge_ids => [4, 5], amount => '0.67'], [[4, '0.33'], [5, '0.33'], '0.66'], 'whole, as the page rounds'],
    [[charge_ids => [4, 5], amount => '0.66'], [[4, '0.33'], [5, '0.33'], '0.66'], 'whole, as the till rounds'],
    [[charge_ids => [1, 6]], [[1, '3.00'], '3.00'], 'what rounds to nothing is left out'],
    [[charge_ids => [1], amount => '3.01'], [409, 'charges_changed'], 'more than is owed'],
    [[charge_ids => [6]], [409, 'charges_changed'], 'nothing to pay'],
    [[charge_ids => [1], amount => '0.00'], [409, 'charges_changed'], 'nothing paid'],
    [[charge_ids => [1], from => 'pos'],    [400, 'bad_request'],     'another page'];

subtest 'foreign, paid and unknown charges are named' => sub {
    wired();
    my ($own, $paid, $foreign) = (
        FakeKoha::charge(amount => '6.00'),
        FakeKoha::charge(amount => '1.00', amountoutstanding => '0'),
        FakeKoha::charge(amount => '9.00', borrowernumber    => 52)
    );
    my ($status, $why) = answer_of('handovers', \%page, wish(charge_ids => [$own, $paid, $foreign, 999]));
    is_deeply [$status, @$why{qw(error_code charges)}],
        [
        409, 'charges_changed',
        [{charge_id => $own, owed => '6.00'}, map { {charge_id => $_, owed => undef} } $paid, $foreign, 999]
        ],
        'which';
};

subtest 'only a page of this Koha gets one, for whom its librarian may see' => sub {
    wired();
    FakeKoha::charge(amount => '6.00');
    for my $case (
        [Origin           => 'https://evil.example'],
        [Origin           => undef],
        ['Sec-Fetch-Site' => 'cross-site'],
        ['Content-Type'   => 'text/plain'],
        [Authorization    => 'Basic x']
        )
    {
        my %headers = (%page, @$case);
        delete $headers{$_} for grep { !defined $headers{$_} } keys %headers;
        my ($status, $why) = answer_of('handovers', \%headers, wish());
        is_deeply [$status, $why->{error_code}], [403, 'other_site'], "$case->[0]: " . ($case->[1] // 'none');
    }
    is +(answer_of('handovers', \%page, wish(patron_id => 52)))[1]{error_code}, 'not_allowed', 'a patron of elsewhere';
    is +(answer_of('handovers', \%page, wish(patron_id => 99)))[1]{error_code}, 'patron_gone', 'no patron';
    is +(answer_of('state?patron_id=51', {'Sec-Fetch-Site' => 'cross-site'}))[1]{error_code}, 'other_site',
        'nor the state';
    is +(answer_of('state?patron_id=52', {}))[1]{error_code}, 'not_allowed', 'of that patron';
    is +(answer_of('state?patron_id=x',  {}))[0],             400,           'of none';
};

subtest 'a look token tells little' => sub {
    wired();
    my ($status, $answer) = answer_of('state?patron_id=51', {});
    is_deeply [$status, $answer->{address}], [200, 'https://bridge.example.org'], 'for the bridge';
    my $claims = claims_of($answer->{token});
    is_deeply [sort keys %$claims], [qw(aud exp iat iss jti library patron scope staff)], 'no more than these';
    is_deeply [@$claims{qw(scope patron staff)}], ['look', {id => 51}, {id => 17}],       'whom';
};

subtest 'nothing is handed over while something is missing' => sub {
    for my $missing (
        sub { settings()->set('', 'bridge') },
        sub { settings()->secrets->forget },
        sub { delete $FakeKoha::PREFERENCE{staffClientBaseURL} }
        )
    {
        wired();
        FakeKoha::charge(amount => '6.00');
        $missing->();
        is +(answer_of('handovers', \%page, wish()))[1]{error_code}, 'not_set_up', 'refused';
    }
};

done_testing;
