# SPDX-License-Identifier: GPL-3.0-or-later
use Mojo::Base -strict, -signatures;
use Test::More;
use Mojo::JSON qw(decode_json);
use Wired;

my %account = (Authorization => 'Basic YnJpZGdlOng=');

sub booking ($id, %other) {
    return {
        reference    => 'tillbridge:a1',
        patron_id    => 51,
        lines        => [{charge_id => $id, amount => '6.00'}],
        library_id   => 'CPL',
        staff_id     => 17,
        register_id  => 2,
        payment_type => 'KASSA',
        description  => 'x',
        note         => 'x',
        %other
    };
}

subtest 'about says what is set up' => sub {
    wired();
    is_deeply [answer_of('about', \%account)], [200, {plugin => $Koha::Plugin::Tillbridge::Register::VERSION, contract => 1, koha => '23.05.04.000',
            abilities => [qw(book reverse refund look_up hand_over)]}],
        'all';
    settings()->set('', '');
    is_deeply +(answer_of('about', \%account))[1]{abilities}, [], 'nothing';
    is +(answer_of('about', {}))[0], 403, 'not for a session';
};

subtest 'a payment goes all the way' => sub {
    wired();
    my $id = FakeKoha::charge(amount => '6.00');
    my ($status, $booked) = answer_of('bookings', \%account, booking($id));
    is $status, 201, 'booked';
    is_deeply [answer_of('bookings',                         \%account, booking($id))], [200, $booked], 'it was there';
    is_deeply [answer_of('bookings?reference=tillbridge:a1', \%account)], [200, {bookings => [$booked]}], 'found';
    is_deeply [answer_of('bookings?reference=tillbridge:a1&patron_id=51', \%account)], [200, {bookings => [$booked]}],
        'with the patron, once';
    ($status, my $refund) = answer_of(
        'refunds',
        \%account,
        {
            reference   => 'tillbridge:a1:refund:1',
            booking     => 'tillbridge:a1',
            lines       => [{charge_id => $id, amount => '1.00'}],
            payout_type => 'KASSA',
            staff_id    => 17,
            library_id  => 'CPL',
            register_id => undef,
            reason      => ''
        }
    );
    is $status, 201, 'refunded';
    my %reversal = (
        reference   => 'tillbridge:a1:reversal',
        booking     => 'tillbridge:a1',
        staff_id    => undef,
        library_id  => 'CPL',
        register_id => undef,
        reason      => ''
    );
    is_deeply [answer_of('reversals', \%account, \%reversal)],
        [409, {error => 'A part of this has been refunded. It cannot be taken back whole.', error_code => 'refunded'}],
        'not taken back any more';
    like $Wired::APP->tx->res->headers->cache_control, qr/no-store/, 'nothing of it is to be kept on the way';
};

subtest 'ids are numbers and amounts are text, all the way out' => sub {
    wired();
    my $id = FakeKoha::charge(amount => '0.333');
    answer_of('bookings', \%account, booking($id, lines => [{charge_id => $id, amount => '0.333'}]));
    my $text = $Wired::APP->tx->res->body;
    like $text, qr/"charge_id":$id\b/, 'a number';
    like $text, qr/"credit_id":\d+/,   'a number';
    like $text, qr/"patron_id":51\b/,  'a number';
    like $text, qr/"amount":"0\.333"/, 'text';
};

subtest 'only the account that is set may ask for money' => sub {
    wired();
    my $id     = FakeKoha::charge(amount => '6.00');
    my %bodies = (bookings => booking($id), reversals => {}, refunds => {});
    for my $path (sort keys %bodies) {
        my ($status, $why) = answer_of($path, {}, $bodies{$path});
        is_deeply [$status, $why->{error_code}], [403, 'not_allowed'], "$path: no session";
        local $Wired::USER = 18;
        is +(answer_of($path, \%account, $bodies{$path}))[0], 403, "$path: no other account";
    }
    is +(answer_of('bookings?reference=a', {}))[0], 403, 'nor look for it';
    settings()->set('https://bridge.example.org', '');
    is +(answer_of('bookings', \%account, booking($id)))[0], 403,        'nobody, while none is set';
    is FakeKoha::owed($id),                                   '6.000000', 'nothing is booked';
};

subtest 'bodies that are not understood' => sub {
    wired();
    for my $body ('', '{', '[]', '"x"', '{"reference": "a"}', '{"reference": "a", "x": 1}', "{\"reference\": \"\xff\"}")
    {
        my ($status, $why) = answer_of('bookings', \%account, $body);
        is_deeply [$status, $why->{error_code}], [400, 'bad_request'], 'body ' . unpack 'H*', $body;
    }
    is +(answer_of("bookings?$_", \%account))[0], 400, "GET ?$_"
        for '', 'reference=', 'reference=a%20b', 'reference=a&patron_id=x', 'reference=a&patron_id=0';
};

subtest 'a plugin that is switched off does nothing, even before Koha is started again' => sub {
    wired();
    my $id = FakeKoha::charge(amount => '6.00');
    Koha::Plugin::Tillbridge::Register->new->store_data({__ENABLED__ => 0});
    for my $case (['bookings', \%account, booking($id)], ['about', \%account], ['state?patron_id=51', {}]) {
        is_deeply [answer_of(@$case)], [404, {errors => [{message => 'Not Found.', path => '/'}], status => 404}],
            "$case->[0]: as Koha says it";
    }
    is FakeKoha::owed($id), '6.000000', 'nothing is booked';
    Koha::Plugin::Tillbridge::Register->new->uninstall;
    FakeKoha::run('DELETE FROM plugin_data');
    is +(answer_of('about', \%account))[0], 404, 'nor one that was uninstalled';
    is FakeKoha::value("SELECT COUNT(*) FROM sqlite_master WHERE name LIKE 'koha_plugin%'"), 0,
        'which does not come back by itself';
};

subtest 'what goes wrong is not told outside' => sub {
    wired();
    my $said = '';
    local $SIG{__WARN__} = sub { $said .= $_[0] };
    $FakeKoha::HOOK{sql} = sub ($sql) { die "secret of the database\n" if $sql =~ /FROM koha_plugin/ };
    my ($status, $why) = answer_of('bookings?reference=a', \%account);
    is_deeply [$status, $why->{error_code}], [500, 'internal_server_error'], 'an error';
    unlike $why->{error}, qr/secret/, 'without its cause';
    like $said,           qr/secret/, 'which is in the log';
};

subtest 'every route has its permission, and a method behind it' => sub {
    my $plugin = Koha::Plugin::Tillbridge::Register->new;
    my $spec   = $plugin->api_routes;
    for my $path (sort keys %$spec) {
        for my $method (sort keys %{$spec->{$path}}) {
            my $route = $spec->{$path}{$method};
            is_deeply $route->{'x-koha-authorization'}, {permissions => {updatecharges => 'remaining_permissions'}},
                "$method $path is guarded by Koha";
            my ($class, $name) = split /#/, $route->{'x-mojo-to'};
            ok eval "require Koha::Plugin::$class; Koha::Plugin::$class->can('$name')", "$method $path is there"
                or diag $@;
        }
    }
};

done_testing;
