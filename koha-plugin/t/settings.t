# SPDX-License-Identifier: GPL-3.0-or-later
use Mojo::Base -strict, -signatures;
use Test::More;
use Mojo::File qw(curfile);
use Mojolicious;
use Mojo::Server::Daemon;
use Wired;
use Koha::Plugin::Tillbridge::Register::Token qw(key_id);

# A browser at the plugin's page: what it sends, and what the page is then given to show.
package FakeForm {
    use Mojo::Base -strict, -signatures;

    sub new ($class, %sent) {
        return bless {method => 'POST', session => 's1', sent => {csrf_token => 'token of s1', %sent}}, $class;
    }
    sub param          ($self, $name) { return $self->{sent}{$name} }
    sub cookie         ($self, $name) { return $self->{session} }
    sub request_method ($self)        { return $self->{method} }
}

sub page (%sent) { return page_of(FakeForm->new(%sent)) }

sub page_of ($form) {
    my $plugin = Koha::Plugin::Tillbridge::Register->new({cgi => $form});
    $plugin->configure;
    return $plugin->{template};
}

sub secrets { return settings()->secrets }

subtest 'address and account are kept' => sub {
    wired();
    is page(op => 'cud-save', bridge => 'https://other.example.org/', service_user => 'anna')->{done}, 'saved', 'saved';
    is_deeply [settings()->bridge, settings()->service_user], ['https://other.example.org', 'anna'], 'as they are';
    is page(op => 'cud-save', bridge => 'http://elsewhere.example.org', service_user => 'anna')->{wrong}, 'address',
        'no address in clear text';
    is page(op => 'cud-save', bridge => '', service_user => 'nobody')->{wrong}, 'user', 'no account that is none';
    is settings()->bridge, 'https://other.example.org',                                 'nothing is kept of it';
};

subtest 'a secret is shown once, and the older one signs until it is dropped' => sub {
    wired();
    secrets()->forget;
    my $first = page(op => 'cud-secret')->{secret};
    like $first, qr/\A[0-9a-f]{64}\z/, 'the first';
    is page()->{secret}, undef, 'not shown again';
    my $second = page(op => 'cud-secret')->{secret};
    is secrets()->signing, $first, 'the first still signs';
    is_deeply page()->{key_ids}, [key_id($first), key_id($second)], 'both have a name';
    my $third = page(op => 'cud-secret');
    is_deeply [$third->{wrong}, $third->{secret}], ['two', undef],
        'there is no third: one loads the page again by mistake';
    is page(op => 'cud-drop', key_id => key_id($first))->{done}, 'dropped', 'the first is dropped';
    is_deeply [secrets()->all], [$second], 'the second signs';
    is page(op => 'cud-drop', key_id => key_id($second))->{wrong}, 'one', 'and stays, being the only one';
    page(op => 'cud-secret');
    is page(op => 'cud-drop', key_id => key_id($first))->{wrong}, 'one',
        'a page that is loaded again drops nothing more';
    is secrets()->signing, $second, 'the second still signs';
};

subtest 'secrets are kept encrypted' => sub {
    wired();
    my $secret = secrets()->signing;
    my $kept   = join ' ', map { $_->{plugin_value} // '' } FakeKoha::rows('SELECT * FROM plugin_data');
    unlike $kept, qr/$secret/, 'not in clear text';
    local $Koha::Encryption::KEY = 'b';
    like page()->{unreadable}, qr/encryption_key/, 'and cannot be read with another key';
    is page(op => 'cud-secret')->{wrong}, 'unreadable', 'nor added to';
    is page(op => 'cud-forget')->{done},  'forgotten',  'but forgotten';
    ok defined page(op => 'cud-secret')->{secret}, 'and made anew';
    local $Koha::Encryption::KEY = undef;
    like page()->{unreadable}, qr/encryption_key/, 'without any key';
};

subtest 'only the page itself changes anything' => sub {
    wired();
    my $before = [FakeKoha::rows('SELECT * FROM plugin_data ORDER BY plugin_key')];
    is page(op => $_->[0], csrf_token => $_->[1])->{wrong}, 'stale', "$_->[0] with $_->[1]"
        for map { [$_, 'token of s2'] } qw(cud-save cud-secret cud-drop cud-forget cud-test);
    my $link = FakeForm->new(op => 'cud-forget');
    $link->{method} = 'GET';
    is page_of($link)->{wrong},      'stale', 'a link';
    is page(op => 'forget')->{done}, undef,   'what is unknown';
    is_deeply [FakeKoha::rows('SELECT * FROM plugin_data ORDER BY plugin_key')], $before, 'nothing changed';
};

subtest 'the test asks the bridge with each secret' => sub {
    wired();
    secrets()->add;
    my $bridge = Mojolicious->new;
    $bridge->log->level('fatal');
    my @asked;
    $bridge->routes->get(
        '/koha/open-payments' => sub ($c) {
            push @asked, [$c->req->headers->origin, $c->param('patron')];
            $c->render(json => {}, status => @asked == 1 ? 200 : 401);
        }
    );
    my $daemon = Mojo::Server::Daemon->new(
        app    => $bridge,
        listen => ['http://127.0.0.1'],
        silent => 1,
        ioloop => Mojo::IOLoop->new
    );
    $daemon->start;
    my $child = fork // die $!;
    if (!$child) { $daemon->ioloop->start; exit }
    settings()->set('http://127.0.0.1:' . $daemon->ports->[0], 'bridge');
    my $answers = page(op => 'cud-test')->{answers};
    is_deeply [map { $_->{status} } @$answers], [200, 401],           'it knows the one, not the other';
    is_deeply [map { $_->{key_id} } @$answers], [secrets()->key_ids], 'which are which';
    kill TERM => $child;
    waitpid $child, 0;
    $daemon->stop;
    undef $daemon;
    my $silent = page(op => 'cud-test')->{answers}[0];
    ok !$silent->{status} && $silent->{why}, "no answer: $silent->{why}";
};

subtest 'there is nothing to test before it is set up' => sub {
    wired();
    settings()->set('', '');
    is page(op => 'cud-test')->{wrong}, 'untestable', 'said';
};

done_testing;
