# SPDX-License-Identifier: GPL-3.0-or-later
package Koha::Plugin::Tillbridge::Register::Handover;

# What a token says: who is at work where, which patron, and which charges as Koha has them at this moment.

use Mojo::Base -strict, -signatures;
use Exporter   qw(import);
use List::Util qw(sum0);
use Mojo::JSON qw(false true);

use Koha::Account::Lines;
use Koha::Acquisition::Currencies;

use Koha::Plugin::Tillbridge::Register::Amount qw(cents_of text_of text_of_cents units_kept);
use Koha::Plugin::Tillbridge::Register::Plan   qw(spread);
use Koha::Plugin::Tillbridge::Register::Refused;
use Koha::Plugin::Tillbridge::Register::Token qw(random_hex);

our @EXPORT_OK = qw(look_claims pay_claims);

my $LIVES_S = 90;
my $REFUSED = 'Koha::Plugin::Tillbridge::Register::Refused';

sub look_claims ($userenv, $issuer, $patron_id) {
    return {
        _common($userenv, $issuer, 'look'),
        staff  => {id => 0 + $userenv->{number}},
        patron => {id => 0 + $patron_id},
    };
}

# Dies with charges_changed where what the page wants is not what is owed.
sub pay_claims ($userenv, $issuer, $patron, $wish) {
    my $currency = Koha::Acquisition::Currencies->get_active
        // $REFUSED->throw(409, 'not_set_up', 'Koha has no active currency.');
    my @lines = _lines($patron, $wish);
    return {
        _common($userenv, $issuer, 'pay'),
        staff => {
            id     => 0 + $userenv->{number},
            userid => $userenv->{id} // '',
            name   => _name(@$userenv{qw(firstname surname)})
        },
        register => $userenv->{register_id} ? 0 + $userenv->{register_id} : undef,
        patron   => {
            id         => 0 + $patron->borrowernumber,
            card       => $patron->cardnumber // '',
            name       => _name($patron->firstname, $patron->surname),
            restricted => $patron->is_debarred ? true : false,
        },
        currency => $currency->currency,
        lines    => [map { _line_claim($_) } @lines],
        amount   => text_of_cents(sum0 map { $_->{cents} } @lines),
        from     => $wish->{from},
    };
}

sub _common ($userenv, $issuer, $scope) {
    my $now = time;
    return (
        iss     => $issuer,
        aud     => 'tillbridge',
        iat     => $now,
        exp     => $now + $LIVES_S,
        jti     => random_hex(16),
        scope   => $scope,
        library => $userenv->{branch} // '',
    );
}

sub _name (@parts) {
    return join ' ', grep { length($_ // '') } @parts;
}

sub _line_claim ($line) {
    my $charge = $line->{charge};
    return {
        id          => 0 + $charge->id,
        type        => $charge->debit_type_code // '',
        description => $charge->description     // '',
        owed        => text_of($line->{units}),
        amount      => text_of_cents($line->{cents}),
    };
}

# In the order of their ids, which is Koha's order of paying; what gets nothing is left out.
sub _lines ($patron, $wish) {
    my %is_wanted = map { $_ => 1 } @{$wish->{charge_ids}};
    my @open =
        map { {charge => $_, units => units_kept($_->amountoutstanding)} }
        Koha::Account::Lines->search({borrowernumber => $patron->borrowernumber, amountoutstanding => {'>' => 0}},
        {order_by => 'accountlines_id'})->as_list;
    my @lines = %is_wanted ? grep { $is_wanted{$_->{charge}->id} } @open : @open;
    my @cents = _shares($wish->{amount}, map { $_->{units} } @lines);
    _changed($wish, @open) if @lines < keys %is_wanted || !@cents;
    $lines[$_]{cents} = $cents[$_] for 0 .. $#lines;
    return grep { $_->{cents} } @lines;
}

# Cents for each charge, or nothing where that is more than they owe. The page rounds the sum, the till each charge.
sub _shares ($cents, @owed) {
    my @rounded = map { cents_of($_) } @owed;
    my $most    = sum0 @rounded;
    $cents = $most if !defined $cents || $cents == cents_of(sum0 @owed);
    return $cents > 0 && $cents <= $most ? spread($cents, @rounded) : ();
}

sub _changed ($wish, @open) {
    my %owed = map { $_->{charge}->id => text_of($_->{units}) } @open;
    my @ids  = @{$wish->{charge_ids}} ? @{$wish->{charge_ids}} : sort { $a <=> $b } keys %owed;
    $REFUSED->throw(
        409, 'charges_changed',
        'These charges do not owe this.',
        charges => [map { {charge_id => 0 + $_, owed => $owed{$_}} } @ids]
    );
}

1;
