# SPDX-License-Identifier: GPL-3.0-or-later
package FakeKoha::Accounts;

# Koha's account lines, as far as the plugin touches them.

use Mojo::Base -strict, -signatures;

package Koha::Account::Offset {
    use Mojo::Base -strict, -signatures;
    our @ISA = ('FakeKoha::Row');

    sub store ($self) {
        FakeKoha::run(
            'INSERT INTO account_offsets (credit_id, debit_id, type, amount) VALUES (?, ?, ?, ?)',
            @$self{qw(credit_id debit_id type)},
            FakeKoha::decimal($self->{amount})
        );
        return $self;
    }
}

package Koha::Account::Line {
    use Mojo::Base -strict, -signatures;
    our @ISA = ('FakeKoha::Row');
    my @COLUMNS =
        qw(borrowernumber itemnumber date amount amountoutstanding credit_type_code debit_type_code credit_number
        status payment_type note description manager_id register_id interface branchcode);
    __PACKAGE__->with(@COLUMNS, 'accountlines_id');

    sub id        ($self) { return $self->{accountlines_id} }
    sub is_credit ($self) { return defined $self->{credit_type_code} }
    sub is_debit  ($self) { return !$self->is_credit }

    sub store ($self) {
        my %row = map { $_ => ref $self->{$_} ? 'now' : $self->{$_} } @COLUMNS;
        $row{$_} = FakeKoha::decimal($row{$_}) for qw(amount amountoutstanding);
        my @names = sort keys %row;
        if ($self->id) {
            my $set = join ', ', map { "$_ = ?" } @names;
            FakeKoha::run("UPDATE accountlines SET $set WHERE accountlines_id = ?", @row{@names}, $self->id);
        }
        else {
            my $signs = join ', ', ('?') x @names;
            FakeKoha::run("INSERT INTO accountlines (@{[join ', ', @names]}) VALUES ($signs)", @row{@names});
            $self->{accountlines_id} = FakeKoha::value('SELECT MAX(accountlines_id) FROM accountlines');
        }
        return $self;
    }

    sub discard_changes ($self) {
        %$self = %{(FakeKoha::rows('SELECT * FROM accountlines WHERE accountlines_id = ?', $self->id))[0]};
        return $self;
    }

    sub apply ($self, $with) {
        my $left = $self->amountoutstanding * -1;
        for my $debit (@{$with->{debits}}) {
            my $owed = $debit->amountoutstanding;
            my $paid = $left >= $owed ? $owed : $left;
            Koha::Account::Offset->new(
                {credit_id => $self->id, debit_id => $debit->id, type => 'APPLY', amount => -$paid})->store;
            $left -= $paid;
            $self->amountoutstanding(-$left)->store;
            $debit->amountoutstanding($owed - $paid)->store;
            my $is_renewable =
                   $debit->amountoutstanding == 0
                && $debit->debit_type_code eq 'OVERDUE'
                && ($debit->status // '') eq 'UNRETURNED';
            push @{$self->{renewals}}, {itemnumber => $debit->itemnumber, %$FakeKoha::RENEWS}
                if $is_renewable && $FakeKoha::RENEWS;
            $debit->discard_changes;
            FakeKoha::run('DELETE FROM issues WHERE itemnumber = ?', $debit->itemnumber)
                if $debit->debit_type_code eq 'LOST'
                && $debit->amountoutstanding == 0
                && $FakeKoha::PREFERENCE{MarkLostItemsAsReturned};
            last if $left == 0;
        }
        return $self;
    }

    sub void ($self, $how) {
        FakeKoha::hook(void => $self);
        my $void = Koha::Account::Line->new({
            borrowernumber    => $self->borrowernumber,
            debit_type_code   => 'VOID',
            amount            => -$self->amount,
            amountoutstanding => -$self->amount,
            manager_id        => $how->{staff_id},
            interface         => $how->{interface},
            branchcode        => $how->{branch},
        })->store;
        my @offsets = FakeKoha::rows('SELECT * FROM account_offsets WHERE credit_id = ? AND amount < 0', $self->id);
        $self->amountoutstanding($self->amount)->status('VOID')->store;
        $self->apply({debits => [$void]});
        for my $offset (@offsets) {
            my $charge = Koha::Account::Lines->find($offset->{debit_id});
            $charge->amountoutstanding($charge->amountoutstanding - $offset->{amount})->store;
            Koha::Account::Offset->new(
                {credit_id => $self->id, debit_id => $charge->id, type => 'VOID', amount => -$offset->{amount}})->store;
        }
        return $void;
    }

    sub payout ($self, $how) {
        die bless {}, 'Koha::Exceptions::Account::RegisterRequired'
            if $FakeKoha::PREFERENCE{UseCashRegisters}
            && $how->{payout_type} eq 'CASH'
            && !defined $how->{cash_register};
        my $payout = Koha::Account::Line->new({
            borrowernumber    => $self->borrowernumber,
            debit_type_code   => 'PAYOUT',
            payment_type      => $how->{payout_type},
            amount            => $how->{amount},
            amountoutstanding => $how->{amount},
            manager_id        => $how->{staff_id},
            interface         => $how->{interface},
            branchcode        => $how->{branch},
            register_id       => $how->{cash_register},
        })->store;
        $self->apply({debits => [$payout]});
        $self->status('PAID')->store;
        FakeKoha::hook(payout => $payout);
        return $payout;
    }
}

package Koha::Account::Lines {
    use Mojo::Base -strict, -signatures;

    sub find ($class, $id) { return ($class->search({accountlines_id => {-in => [$id]}})->as_list)[0] }

    sub search ($class, $wanted, $how = {}) {
        my @found = map { Koha::Account::Line->new($_) }
            grep { _is($_, $wanted) } FakeKoha::rows('SELECT * FROM accountlines ORDER BY accountlines_id');
        return bless {found => \@found}, $class;
    }

    sub as_list ($self) { return @{$self->{found}} }

    sub _is ($row, $wanted) {
        for my $name (keys %$wanted) {
            my $value = $wanted->{$name};
            my $is =
                  !ref $value   ? ($row->{$name} // '') eq $value
                : $value->{-in} ? (grep { $_ == $row->{$name} } @{$value->{-in}})
                :                 $row->{$name} > $value->{'>'};
            return 0 unless $is;
        }
        return 1;
    }
}

package Koha::Account {
    use Mojo::Base -strict, -signatures;

    sub new ($class, $how) { return bless {%$how}, $class }

    sub pay ($self, $how) {
        FakeKoha::hook(pay => $how);
        my $type = $how->{payment_type};
        die bless {}, 'Koha::Exceptions::Account::PaymentTypeRequired'
            if $FakeKoha::PREFERENCE{RequirePaymentType} && !defined $type;
        die bless {}, 'Koha::Exceptions::Account::RegisterRequired'
            if $FakeKoha::PREFERENCE{UseCashRegisters} && $type eq 'CASH' && !defined $how->{cash_register};
        my $credit = Koha::Account::Line->new({
            borrowernumber    => $self->{patron_id},
            credit_type_code  => 'PAYMENT',
            amount            => $how->{amount} * -1,
            amountoutstanding => $how->{amount} * -1,
            payment_type      => $type,
            register_id       => $how->{cash_register},
            branchcode        => $how->{library_id},
            note              => $how->{note},
            description       => $how->{description},
            interface         => $how->{interface},
            manager_id        => C4::Context->userenv->{number},
            date              => 'now',
        })->store;
        $credit->apply({debits => $how->{lines}});
        my @other = grep { $_->is_debit && $_->amountoutstanding > 0 }
            Koha::Account::Lines->search({borrowernumber => $self->{patron_id}})->as_list;
        $credit->apply({debits => \@other}) if $credit->amountoutstanding;
        FakeKoha::run("INSERT INTO message_queue (borrowernumber, letter_code) VALUES (?, 'ACCOUNT_PAYMENT')",
            $self->{patron_id})
            if $FakeKoha::PREFERENCE{UseEmailReceipts};
        FakeKoha::hook(paid => $credit);
        return {payment_id => $credit->id, renew_result => $credit->{renewals} // []};
    }
}

1;
