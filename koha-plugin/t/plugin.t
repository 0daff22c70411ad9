# SPDX-License-Identifier: GPL-3.0-or-later
use Mojo::Base -strict, -signatures;
use Test::More;
use Mojo::File qw(curfile);
use Wired;

sub tables {
    return
        map { $_->{name} } FakeKoha::rows("SELECT name FROM sqlite_master WHERE name LIKE 'koha_plugin%' ORDER BY name");
}

subtest 'it comes, stays and goes' => sub {
    FakeKoha::begin();
    is_deeply [tables()], [], 'before';
    my $plugin = Koha::Plugin::Tillbridge::Register->new;
    is_deeply [tables()], ['koha_plugin_tillbridge_register_bookings', 'koha_plugin_tillbridge_register_undoings'],
        'installed';
    FakeKoha::run(
        "INSERT INTO koha_plugin_tillbridge_register_bookings (reference, patron_id, content) VALUES ('a', 1, 'b')");
    ok $plugin->upgrade, 'a newer version';
    is FakeKoha::value('SELECT COUNT(*) FROM koha_plugin_tillbridge_register_bookings'), 1, 'keeps what is booked';
    ok $plugin->uninstall, 'uninstalled';
    is_deeply [tables()], [], 'nothing is left';
};

subtest 'the script is printed once everything is set, and from this Koha alone' => sub {
    wired();
    my $plugin = Koha::Plugin::Tillbridge::Register->new;
    my @tags   = split /\n/, $plugin->intranet_js;
    like $tags[$_],
        qr{\A<script src="/api/v1/contrib/tillbridge/static/(?:settings|tillbridge)\.js\?v=[0-9.]+" defer></script>\z},
        $tags[$_]
        for 0, 1;
    my $static = $plugin->static_routes;
    for my $tag (@tags) {
        my ($name, $parameter) = $tag =~ m{static(/[a-z.]+)\?([a-z]+)=};
        is_deeply [map { $_->{name} } @{$static->{$name}{get}{parameters}}], [$parameter], "$name may be asked for so";
    }
    settings()->set('', '');
    is $plugin->intranet_js, '', 'no bridge, no script';
    settings()->set('https://bridge.example.org', '');
    settings()->secrets->forget;
    is $plugin->intranet_js, '', 'no secret, no script';
};

subtest 'Koha is told what it needs' => sub {
    my $metadata = Koha::Plugin::Tillbridge::Register->new->get_metadata;
    is $metadata->{minimum_version}, '22.11.00.000',                       'from which Koha on';
    is $metadata->{class},           'Koha::Plugin::Tillbridge::Register', 'its class';
    my $bridge = curfile->dirname->sibling('../src/tillbridge/__init__.py')->slurp;
    is $metadata->{version}, ($bridge =~ /__version__ = "([^"]+)"/)[0], "the bridge's version";
};

subtest 'what is public in the class is what Koha may call' => sub {
    no strict 'refs';
    my @own = sort grep { !/\A_/ && defined &{"Koha::Plugin::Tillbridge::Register::$_"} }
        keys %{'Koha::Plugin::Tillbridge::Register::'};
    is_deeply \@own, [qw(api_namespace api_routes configure install intranet_js new static_routes uninstall upgrade)],
        'and nothing else';
};

done_testing;
